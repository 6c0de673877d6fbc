"""What the scheduler says of a pod without a place, and what is to be done about it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.scheduling import NO_ROOM, scheduler_words, what_to_do
from shipper_targets.kubernetes.verdicts_pods import pod_finding
from tests.unit.kubernetes.kube_objects import condition, event, pod

pytestmark = pytest.mark.unit

UNBOUND = "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims."
CPU = "0/4 nodes are available: 4 Insufficient cpu."
DESCRIBED = "kubectl describe pvc weights -n shops says which claim is Pending, since when, and of which storage class"


def mounting(*claims: str, said: str = UNBOUND) -> dict[str, Any]:
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    found = pod(namespace="shops", status={"conditions": [condition("PodScheduled", "False", "Unschedulable", said)]})
    return {**found, "spec": {**found["spec"], "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes]}}


@pytest.mark.parametrize("words", [UNBOUND, CPU])
@pytest.mark.parametrize(
    "afterwards",
    [
        "",
        " not found",
        " preemption: not found",
        " preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
        " no new claims to deallocate, preemption: 0/4 nodes are available: 4 No preemption victims found.",
    ],
)
def test_what_came_of_preemption_is_not_told(words: str, afterwards: str) -> None:
    assert scheduler_words(words + afterwards) == words


@pytest.mark.parametrize("said", ["", "0/3 nodes", 'persistentvolumeclaim "weights" not found'])
def test_other_words_stay_as_they_are(said: str) -> None:
    assert scheduler_words(said) == said


@pytest.mark.parametrize(
    "said",
    [
        UNBOUND,
        "0/4 nodes are available: 4 node(s) didn't find available persistent volumes to bind.",
        "0/4 nodes are available: 4 node(s) had volume node affinity conflict.",
        "0/4 nodes are available: 4 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
    ],
)
def test_a_pod_that_waits_for_a_claim_is_told_about_the_claim(said: str) -> None:
    told = what_to_do(mounting("weights"), said)

    assert told.startswith(DESCRIBED)
    assert NO_ROOM not in told


def test_every_claim_is_named_once_and_without_one_all_are_asked_for() -> None:
    assert what_to_do(mounting("a", "b", "a"), UNBOUND).startswith("kubectl describe pvc a b -n shops ")
    assert what_to_do(mounting(), UNBOUND).startswith("kubectl describe pvc -n shops ")


def test_where_room_is_lacking_on_other_nodes_both_is_said() -> None:
    both = "0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had volume node affinity conflict."

    assert what_to_do(mounting("weights"), both).startswith(DESCRIBED)
    assert what_to_do(mounting("weights"), both).endswith(NO_ROOM)
    assert what_to_do(mounting("weights"), CPU) == NO_ROOM


@pytest.mark.parametrize("events", [[], [event("NotTriggerScaleUp", "pod didn't trigger scale-up")]])
def test_the_verdict_of_a_pod_whose_claim_is_unbound(events: list[dict[str, Any]]) -> None:
    found = pod_finding(mounting("weights", said=f"{UNBOUND} not found"), events, window=30.0)

    assert found is not None
    assert (found.cause, found.patience) == ("no-capacity", 30.0)
    assert found.reason == f"no node for it: {UNBOUND}"
    assert found.hint.startswith(DESCRIBED)
    assert NO_ROOM not in found.hint
