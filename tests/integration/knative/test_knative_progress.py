"""Following a revision: idle is ready, and why it never will be is named long before Knative gives up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from shipper.targets import NotFound
from shipper_targets.knative.conditions import state_of
from shipper_targets.kubernetes.kinds import RESOURCE_QUOTA
from shipper_targets.kubernetes.kinds import SERVICE as PLAIN_SERVICE
from shipper_targets.kubernetes.values import Object, at, condition, number, text
from tests.integration.knative.knative_place import NAME, KnativePlace, image_of, waited_for, weights

pytestmark = pytest.mark.integration

Known = Callable[[list[Object]], bool]

SOON = 3.0
"""Seconds from what the API server knows of the pods to the reason; Knative's own deadline is 600 s."""


def _waits(reason: str) -> Known:
    return lambda containers: reason in {text(one, "state", "waiting", "reason") for one in containers}


def _has_restarted_twice(containers: list[Object]) -> bool:
    return any(number(one, "restartCount") >= 2 and not at(one, "state", "running") for one in containers)


def _ran_out_of_memory(containers: list[Object]) -> bool:
    ends = [text(one, where, "terminated", "reason") for one in containers for where in ("state", "lastState")]
    return "OOMKilled" in ends


@pytest.mark.parametrize(
    ("behaviour", "known", "cause", "words"),
    [
        ({"kind": "missing"}, _waits("ErrImagePull"), "image-missing", "cannot be pulled"),
        (
            {"kind": "crash", "code": 3, "lines": ["cannot load the model"]},
            _has_restarted_twice,
            "crashed",
            "cannot load the model",
        ),
        ({"kind": "oom"}, _ran_out_of_memory, "out-of-memory", "memory"),
        ({"kind": "config-error"}, _waits("CreateContainerConfigError"), "config-missing", "not found"),
    ],
    ids=["missing image", "crash loop", "out of memory", "configuration"],
)
def test_the_reason_is_named_before_knative_gives_up(
    place: KnativePlace, behaviour: dict[str, Any], known: Known, cause: str, words: str
) -> None:
    place.rig.nodes.behave(**behaviour, namespace=place.namespace, image=image_of("bad").reference)
    with place.knowing(known) as since:
        revision = place.creates(place.release("bad"))
        step = place.follows(revision)
        named = time.monotonic()
        waited_for(lambda: bool(since), "the API server to know")

    assert step.state == "failed", step
    assert named - since[0] < SOON
    assert step.dossier is not None
    assert step.dossier.cause == cause
    assert words in " ".join((step.reason, *step.dossier.log_tail)), step.dossier
    assert place.target().diagnose(revision).cause == cause


def test_a_quota_is_named_in_the_apis_words(place: KnativePlace) -> None:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    place.api.create(RESOURCE_QUOTA, body)
    step = place.follows(place.creates(place.release()))
    assert step.dossier is not None
    assert step.dossier.cause == "quota"
    assert "exceeded quota: none" in step.reason


def test_a_pod_that_finds_no_node_has_a_window(place: KnativePlace) -> None:
    place.own["unschedulable_window"] = "1s"
    place.sections = {"run": {"cpu": 900}}
    step = place.follows(place.creates(place.release()))
    assert step.dossier is not None
    assert step.dossier.cause == "no-capacity"
    assert "Insufficient cpu" in step.reason


def test_who_is_never_ready_is_told_of_with_its_own_log(place: KnativePlace) -> None:
    place.rig.nodes.behave("notready", namespace=place.namespace, image=image_of("bad").reference)
    place.sections = {"rollout": {"timeout": "6s"}}
    revision = place.creates(place.release("bad"))
    step = place.follows(revision)

    assert step.state == "failed"
    assert step.dossier is not None
    assert step.dossier.cause in ("not-ready", "bad-status"), step.dossier
    assert "queue-proxy" not in step.dossier.hint


def test_steps_keep_coming(place: KnativePlace) -> None:
    place.rig.nodes.behave("slow", namespace=place.namespace, image=image_of("slow").reference, seconds=2)
    revision = place.creates(place.release("slow"))
    states = [step.state for step in place.target().progress(revision)]
    assert states[-1] == "ready"
    assert states[:-1] == ["waiting"] * (len(states) - 1)
    assert len(states) > 3


def test_scaled_to_zero_is_healthy(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    second = place.goes_out(place.release("better"))
    deadline = time.monotonic() + 60
    while number(idle := place.revision(first.name), "status", "actualReplicas") or not _idle(idle):
        assert time.monotonic() < deadline, idle["status"]
        time.sleep(0.2)

    assert state_of(idle) == "running"
    now = place.target().observe()
    assert next(one for one in now.revisions if one.name == first.name).state == "running"
    assert now.idle == (first.name,)
    place.shifts(first)
    assert place.follows(first).state == "ready"
    assert weights(place.target().observe()) == {first.name: 100}
    assert state_of(place.revision(second.name)) == "running"


def test_a_revision_that_is_not_there_is_not_waited_for(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    with pytest.raises(NotFound):
        next(place.target().progress(first.model_copy(update={"name": f"{NAME}-9-nobody"})))


def test_a_name_that_a_plain_service_has_is_told_before_and_during(place: KnativePlace) -> None:
    from shipper.model import TargetSpec

    plain = {"metadata": {"name": NAME}, "spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}
    place.api.create(PLAIN_SERVICE, {"apiVersion": "v1", "kind": "Service", **plain})

    (problem,) = place.target().preflight(TargetSpec(settings=place.settings, target="kn"))
    step = place.follows(place.creates(place.release()))

    assert (problem.code, problem.key) == (2, "targets.name")
    assert "Knative needs its name" in problem.message
    assert step.dossier is not None
    assert step.dossier.cause == "name-taken"


def _idle(revision: dict[str, Any]) -> bool:
    return bool(condition(revision, "Active").get("status") == "False")
