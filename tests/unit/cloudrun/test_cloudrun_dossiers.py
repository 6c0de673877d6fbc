"""Why a revision is not ready, in one screen."""

from __future__ import annotations

import pytest
from google.cloud import run_v2

from shipper.model import HealthSettings, RunSettings
from shipper_targets.cloudrun.dossiers import dossier_of, explain
from tests.rig.google.cloudrun import instances_outcomes as outcomes
from tests.rig.google.cloudrun.contract import Outcome, RunSpec

pytestmark = pytest.mark.unit

RUN, HEALTH = RunSettings(memory=512 * 2**20), HealthSettings()
SPEC = RunSpec("demo", "europe-west1", "shop", "shop-7-abcdef", "docker.io/library/nothing")


@pytest.mark.parametrize(
    ("outcome", "log", "cause", "word"),
    [
        (outcomes.image_missing(SPEC), (), "image-missing", "not found"),
        (outcomes.image_denied(SPEC), (), "image-denied", "permission to read the image"),
        (outcomes.not_listening(SPEC, ()), ("ModuleNotFoundError: No module named 'torch'",), "crashed", "torch"),
        (outcomes.not_listening(SPEC, ()), ("Container called exit(3).",), "crashed", "exit 3"),
        (outcomes.not_listening(SPEC, ()), (), "crashed", "port 8080"),
        (outcomes.probe_failed(SPEC, ()), ("loading",), "not-ready", "/healthz on port 8080"),
        (outcomes.out_of_memory(SPEC, ()), (), "out-of-memory", "memory"),
    ],
)
def test_what_the_platform_says_becomes_a_cause(outcome: Outcome, log: tuple[str, ...], cause: str, word: str) -> None:
    dossier = explain(outcome.reason, outcome.message, RUN, HEALTH, log)
    assert dossier.cause == cause
    assert word in dossier.reason
    assert dossier.hint
    assert "http" not in dossier.reason, "links are for hints"
    assert dossier.log_tail == log


def test_a_quota_is_named() -> None:
    dossier = explain("", "Quota exceeded for total allowable CPU per project per region.", RUN, HEALTH, ())
    assert dossier.cause == "quota"
    assert "allowable CPU" in dossier.reason


def test_without_a_log_there_is_a_link() -> None:
    condition = run_v2.Condition(
        type_="Ready",
        state=run_v2.Condition.State.CONDITION_FAILED,
        reason=run_v2.Condition.CommonReason.CONTAINER_MISSING,
        message="Image 'x' not found.",
    )
    revision = run_v2.Revision(conditions=[condition], log_uri="https://console/logs")
    assert "https://console/logs" in dossier_of(revision, RUN, HEALTH, ()).hint
    assert "https://console/logs" not in dossier_of(revision, RUN, HEALTH, ("a line",)).hint


def test_nothing_said_is_not_ready_yet() -> None:
    assert explain("", "", RUN, HEALTH, ()).cause == "not-ready"
