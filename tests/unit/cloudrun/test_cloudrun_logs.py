"""A revision's output from Cloud Logging, where the platform's own lines of requests are among it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from shipper.errors import Interrupted
from shipper.model import Settings
from shipper.pipeline.cancellation import RunCancellation
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.logs import Logs, text_of
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.settings import CloudRunSettings
from tests.rig.google.clients import Calls, to
from tests.rig.google.cloudrun import scripted
from tests.rig.google.cloudrun.contract import LogLine
from tests.rig.google.cloudrun.request_log import Exchange
from tests.rig.google.server import Google, running

pytestmark = pytest.mark.unit

SERVICE, REVISION = "shop-test", "shop-test-1"
NAME = f"projects/demo/locations/us-central1/services/{SERVICE}/revisions/{REVISION}"
START = time.time() - 3600


class Waits(RunCancellation):
    """Each wait lets something happen instead of passing time; when nothing is left to happen, the run is cancelled."""

    def __init__(self, *happens: Callable[[], None]) -> None:
        super().__init__()
        self._happens = list(happens)

    def wait(self, seconds: float) -> bool:
        if not self._happens:
            self.cancel(Interrupted("nothing is left to happen"))
            return True
        self._happens.pop(0)()
        return self.cancelled


class Revision:
    """A revision that says what a test lets it say."""

    def __init__(self, google: Google, instances: scripted.ScriptedInstances) -> None:
        self._google = google
        self._lines = instances.lines.setdefault(NAME, [])
        self._at = START

    def says(self, *texts: str) -> None:
        for text in texts:
            self._at += 1
            self._lines.append(LogLine(self._at, "stdout", text))

    def is_asked(self, times: int) -> None:
        for _ in range(times):
            self._at += 0.001
            self._google.world.requests.add(
                NAME, Exchange(self._at, 0.01, "GET", "http://x/", 200, "curl", "127.0.0.1")
            )

    def logs(self, *happens: Callable[[], None]) -> Logs:
        settings = Settings.model_validate({"service": {"service": "shop", "environment": "test", "root": "/"}})
        own = CloudRunSettings.model_validate(
            {"project": "demo", "region": "us-central1", "endpoint": self._google.url, "credentials": "none"}
        )
        return Logs(Rest(Clients(own)), names_of(settings, own), Waits(*happens))


@pytest.fixture
def revision(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Revision]:
    instances, router = scripted.ScriptedInstances(), scripted.ScriptedRouter()
    with running(tmp_path_factory.mktemp("google"), step=0.01, make=lambda world: (instances, router)) as google:
        Calls(google.url, "grpc", service=SERVICE).create("shop", REVISION, [to(REVISION, 100)])
        yield Revision(google, instances)


def test_the_last_lines_are_the_service_s_own_however_often_it_was_asked_since(revision: Revision) -> None:
    revision.says("one", "two", "three")
    revision.is_asked(times=50)
    assert revision.logs().last(REVISION, 2) == ["two", "three"]


def test_following_gives_each_line_once_and_is_not_held_up_by_a_page_of_requests(revision: Revision) -> None:
    def is_asked_a_lot_and_fails() -> None:
        revision.is_asked(times=1000)  # as many as the largest page
        revision.says("no memory left")

    revision.says("one", "two")
    followed = revision.logs(is_asked_a_lot_and_fails, lambda: revision.says("gone")).follow(REVISION, 10)
    assert list(followed) == ["one", "two", "no memory left", "gone"]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"textPayload": "plain\n"}, "plain"),
        ({"jsonPayload": {"message": "structured", "level": 3}}, "structured"),
        ({"protoPayload": {"status": {"message": "Ready condition status changed to False"}}}, "Ready condition"),
        ({}, ""),
    ],
)
def test_what_an_entry_says(entry: dict[str, object], text: str) -> None:
    assert text_of(entry).startswith(text)
    assert bool(text_of(entry)) is bool(text)
