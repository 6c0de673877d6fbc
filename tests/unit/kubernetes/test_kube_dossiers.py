"""From a finding and a log to a dossier: the same words as on every other target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper_targets.kubernetes.dossiers import dossier_of, wants_log
from shipper_targets.kubernetes.findings import Finding, failed
from shipper_targets.kubernetes.logs import parted, parted_lines
from tests.unit.kubernetes.kube_rendering import settings_of

pytestmark = pytest.mark.unit

SETTINGS = settings_of(run={"memory": "256MiB"}, health={"path": "/ready"})
IN_POD: dict[str, Any] = {"pod": "shop-1-a", "container": "main"}


def crashed(**more: Any) -> Finding:
    return replace(failed("crashed", "ended with exit 1 after 2 restarts"), **{**IN_POD, "exit_code": 1, **more})


def told(finding: Finding, *log: str) -> Any:
    return dossier_of(finding, SETTINGS, log, namespace="shops")


def test_a_crash_is_explained_by_its_last_lines() -> None:
    found = told(crashed(lived=2.0, previous=True), "Traceback", "ModuleNotFoundError: No module named 'xgboost'")

    assert (found.cause, found.exit_status) == ("crashed", 1)
    assert found.reason == "crashed with exit 1 after 2.0 s: Python finds no module xgboost"
    assert found.hint.endswith("what container main wrote last stands in the run's log")
    assert "kubectl" not in found.hint  # its pod goes when the release is put back
    assert found.log_tail[-1].startswith("ModuleNotFoundError")


def test_without_a_log_the_events_are_named_which_outlive_the_pod() -> None:
    events = "kubectl get events -n shops --field-selector involvedObject.name=shop-1-a"

    assert told(crashed()).hint.endswith(events)
    assert told(replace(failed("no-capacity", "no node for it", "free room"), pod="shop-1-a"), "log").hint == (
        f"free room; {events}"
    )


def test_out_of_memory_names_the_containers_own_limit() -> None:
    finding = replace(crashed(), cause="out-of-memory", out_of_memory=True, exit_code=137)

    assert "its limit of 256 MiB" in told(finding).reason
    assert "its limit of 64.0 MB" in told(replace(finding, memory=64_000_000)).reason


def test_a_readiness_probe_is_told_as_everywhere() -> None:
    words = "running, not ready: Readiness probe failed: HTTP probe failed with statuscode: 500"
    found = told(replace(failed("not-ready", words), **IN_POD))

    assert (found.cause, found.reason) == ("bad-status", "/ready answers 500, not 200")


def test_a_connection_that_is_refused_is_no_answer() -> None:
    words = 'not ready: Startup probe failed: Get "http://10.0.0.7:8080/ready": dial tcp: connect: connection refused'
    found = told(replace(failed("not-ready", words), **IN_POD))

    assert found.cause == "not-ready"
    assert "connection refused" in found.reason
    assert "10.0.0.7" not in found.reason


def test_a_start_that_fails_says_the_runtimes_words() -> None:
    words = 'could not be started (RunContainerError): exec: "serve": executable file not found in $PATH'
    found = told(replace(failed("crashed", words), **IN_POD))

    assert found.reason == "could not start: the command serve is not in the image"


def test_what_is_not_the_containers_doing_keeps_the_platforms_words() -> None:
    found = told(replace(failed("quota", "pods are refused: exceeded quota: q", "raise it")))

    assert (found.cause, found.reason, found.hint) == ("quota", "pods are refused: exceeded quota: q", "raise it")


def test_a_log_is_wanted_where_it_says_more() -> None:
    assert wants_log(crashed())
    assert not wants_log(failed("quota", "x"))
    assert not wants_log(replace(failed("image-missing", "x"), **IN_POD))


@given(
    st.text(max_size=80),
    st.sampled_from(["crashed", "not-ready", "out-of-memory", "quota", ""]),
    st.one_of(st.none(), st.integers(-1, 300)),
    st.lists(st.text(max_size=40), max_size=4),
)
def test_no_words_make_it_raise(reason: str, cause: str, code: int | None, log: list[str]) -> None:
    found = told(replace(failed(cause, reason), **IN_POD, exit_code=code), *log)

    assert found.cause
    assert len(found.reason) <= 200


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("2026-11-21T10:00:00.123456789Z hello there", ("2026-11-21T10:00:00.123456789Z", "hello there")),
        ("2026-11-21T10:00:00.123456789Z ", ("2026-11-21T10:00:00.123456789Z", "")),
        ("no moment here", ("", "no moment here")),
    ],
)
def test_the_moment_before_a_line(line: str, parts: tuple[str, str]) -> None:
    assert parted(line) == parts


def test_a_progress_bar_stays_one_line_in_its_place() -> None:
    first, second = "2026-11-21T10:00:00.1Z", "2026-11-21T10:00:00.2Z"
    body = f"{first} loading:\r 10 %\r 20 %\n{second} a\x0bb\u2028c\nwithout a moment\n\n"

    assert parted_lines(body) == [
        (first, "loading:\r 10 %\r 20 %"),
        (second, "a\x0bb\u2028c"),
        (second, "without a moment"),
        (second, ""),
    ]
    assert parted_lines("") == []
