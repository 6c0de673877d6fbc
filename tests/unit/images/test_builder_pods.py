"""What keeps builders in a cluster from being ready, as the cluster says it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.images.builder_pods import Reason, Where, reason_of, why_not_ready

pytestmark = pytest.mark.unit


def pod(
    reason: str = "", message: str = "", ended: int | None = None, condition: dict[str, str] | None = None
) -> dict[str, Any]:
    waiting = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
    last = {} if ended is None else {"terminated": {"exitCode": ended}}
    return {
        "status": {
            "containerStatuses": [{"state": waiting, "lastState": last}],
            "conditions": [condition] if condition else [],
        }
    }


def deployment(**condition: str) -> dict[str, Any]:
    return {"status": {"conditions": [condition] if condition else []}}


@pytest.mark.parametrize(
    ("reason", "final"),
    [("ImagePullBackOff", True), ("InvalidImageName", True), ("ErrImagePull", False), ("CreateContainerError", True)],
)
def test_a_container_that_waits_for_a_reason(reason: str, final: bool) -> None:
    assert reason_of(deployment(), [pod(reason, "no such image")]) == Reason(f"{reason}: no such image", final)


def test_a_container_that_crashes_has_its_exit_code() -> None:
    assert reason_of(deployment(), [pod("CrashLoopBackOff", ended=1)]) == Reason("CrashLoopBackOff: exit code 1", True)


def test_pods_that_may_not_be_made_never_get_ready() -> None:
    refused = deployment(type="ReplicaFailure", status="True", message='violates PodSecurity "restricted"')

    assert reason_of(refused, []) == Reason('pods cannot be made: violates PodSecurity "restricted"', True)


def test_room_may_still_be_made() -> None:
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}

    assert reason_of(deployment(), [pod(condition=unplaced)]) == Reason("Unschedulable: Insufficient cpu", False)


def test_what_is_final_goes_before_what_is_not() -> None:
    found = reason_of(deployment(), [pod("ErrImagePull", "slow"), pod("ImagePullBackOff", "gone")])

    assert found == Reason("ImagePullBackOff: gone", True)


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_pods_that_start_have_no_reason(reason: str) -> None:
    assert reason_of(deployment(type="Progressing", status="True"), [pod(reason)]) is None


def test_a_cluster_that_cannot_be_asked_gives_no_reason(tmp_path: Any) -> None:
    assert why_not_ready(Where(str(tmp_path / "none"), "prod", "builds", "shipper-1")) is None
