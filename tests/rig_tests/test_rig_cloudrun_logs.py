"""What Logging has of a revision: its output, a line for each request, and the filters that tell them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rig.google import log_filter
from tests.rig.google.clients import Calls, to
from tests.rig.google.cloudrun import scripted
from tests.rig.google.cloudrun.contract import LogLine
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.request_log import KEPT, Exchange, RequestLog
from tests.rig.google.handle import GoogleRig
from tests.rig.google.server import Google, running

pytestmark = pytest.mark.unit

CHOSEN = 'resource.type="cloud_run_revision"\nresource.labels.revision_name="web-1"'
NAME = "projects/demo/locations/us-central1/services/web/revisions/web-1"


def exchange(at: float, status: int = 200) -> Exchange:
    return Exchange(at, 0.25, "GET", "http://127.0.0.1:9/healthz", status, "curl/8", "127.0.0.1")


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """With a revision that wrote a line, and was asked twice after it."""
    instances, router = scripted.ScriptedInstances(), scripted.ScriptedRouter()
    instances.lines[NAME] = [LogLine(time.time() - 10, "stdout", "ready")]
    folder = tmp_path_factory.mktemp("google")
    with running(folder, step=0.01, make=lambda world: (instances, router)) as made:
        Calls(made.url, "grpc").create("shop", "web-1", [to("web-1", 100)])
        made.world.requests.add(NAME, exchange(time.time() - 5))
        made.world.requests.add(NAME, exchange(time.time() - 4, status=503))
        yield made


def entries(google: Google, more: str = "", **asked: Any) -> list[dict[str, Any]]:
    body = {"resourceNames": ["projects/demo"], "filter": f"{CHOSEN}{more}", **asked}
    status, told = GoogleRig(google.url).request("POST", "/v2/entries:list", body)
    assert status == 200, told
    return list(told.get("entries", []))


def test_a_request_is_a_line_between_those_of_the_container(google: Google) -> None:
    first, second, third = entries(google)
    assert first["textPayload"] == "ready"
    assert "httpRequest" not in first
    assert second["logName"] == "projects/demo/logs/run.googleapis.com%2Frequests"
    assert "textPayload" not in second
    assert second["httpRequest"]["requestUrl"] == "http://127.0.0.1:9/healthz"
    assert (second["httpRequest"]["status"], second["httpRequest"]["latency"]) == (200, "0.250000000s")
    assert (second["severity"], third["severity"]) == ("INFO", "ERROR")
    assert second["resource"] == first["resource"]
    assert len({one["insertId"] for one in (first, second, third)}) == 3


def test_what_a_filter_leaves_out_takes_no_room_in_the_page(google: Google) -> None:
    newest: dict[str, Any] = {"orderBy": "timestamp desc", "pageSize": 1}
    assert "httpRequest" in entries(google, **newest)[0]
    without = '\nNOT log_id("run.googleapis.com/requests")'
    assert [one["textPayload"] for one in entries(google, without, **newest)] == ["ready"]
    assert len(entries(google, " AND httpRequest:*")) == 2
    assert len(entries(google, "\nseverity>=ERROR")) == 1
    assert entries(google, '\nresource.labels.location="europe-west1"') == []


def test_a_wiped_project_has_no_requests_and_a_long_log_forgets_its_oldest() -> None:
    log = RequestLog()
    for at in range(KEPT + 5):
        log.add(NAME, exchange(at))
    assert (len(log.of(NAME)), log.of(NAME)[0].at) == (KEPT, 5)
    log.wipe("other")
    assert log.of(NAME)
    log.wipe("demo")
    assert log.of(NAME) == ()


ENTRY = {
    "logName": "projects/demo/logs/run.googleapis.com%2Fstdout",
    "timestamp": "2026-01-02T03:04:05Z",
    "severity": "WARNING",
    "resource": {"labels": {"a": "b"}},
    "httpRequest": {},
}


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", True),
        ("httpRequest:*", True),
        ("NOT httpRequest:*", False),
        ("-httpRequest:*", False),
        ("textPayload:*", False),
        ("NOT textPayload:*", True),
        ("NOT resource.labels.a:*", False),
        ('resource.labels.a="b"', True),
        ("resource.labels.a = b", True),
        ('NOT resource.labels.a="b"', False),
        ('resource.labels.nothing="b"', False),
        ('NOT resource.labels.nothing="b"', True),
        ('log_id("run.googleapis.com/stdout")', True),
        ('NOT log_id("run.googleapis.com/stdout")', False),
        ('-log_id("run.googleapis.com/requests")', True),
        ('log_id("stdout")', False),
        ("severity>=WARNING", True),
        ("severity>=ERROR", False),
        ('timestamp>="2026-01-02T04:04:05+01:00"', True),
        ('timestamp>="2026-01-02T03:04:06Z"', False),
        ('timestamp>="2026-01-02"', True),
        ('severity>=INFO AND NOT httpRequest:*\nresource.labels.a="b"', False),
    ],
)
def test_a_filter_chooses_what_it_says(text: str, chosen: bool) -> None:
    assert log_filter.read(text).chooses(ENTRY) is chosen


def test_an_entry_that_says_no_severity_has_the_lowest() -> None:
    assert log_filter.read("severity>=DEFAULT").chooses({})
    assert not log_filter.read("severity>=DEBUG").chooses({})


@pytest.mark.parametrize(
    "text",
    [
        "textPayload:anything",
        '"words"',
        "a=b OR c=d",
        "(a=b)",
        "severity>=LOUD",
        "timestamp>=yesterday",
        "a.b>=3",
        "NOT",
    ],
)
def test_what_it_cannot_read_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(ApiError, match="Unparseable filter"):
        log_filter.read(text)
