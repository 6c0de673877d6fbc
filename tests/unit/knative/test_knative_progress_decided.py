"""What a revision's conditions and its pods say together: who knows better is believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shipper.model import Progress, Revision
from shipper_targets.knative import readiness
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.readiness import Readiness
from shipper_targets.knative.traffic import targets
from shipper_targets.kubernetes.findings import Patience
from tests.unit.knative.knative_objects import ID, own, release_of, revision_of, serving, settings_of

pytestmark = pytest.mark.unit

NAME = "shop-7-wmrerd"


class World:
    """What the API server says, until a test says something else."""

    def __init__(self) -> None:
        self.release = release_of()
        self.now: dict[str, Any] | None = revision_of(self.release)
        self.serves = serving(self.release)
        self.others: dict[str, dict[str, Any]] = {}
        self.of_pods: list[dict[str, Any]] = []
        self.events_read = 0

    def revision(self, name: str) -> dict[str, Any] | None:
        return self.now if name == NAME else self.others.get(name)

    def service(self) -> dict[str, Any]:
        return self.serves

    needed = service

    def pods(self, revision: str) -> Sequence[dict[str, Any]]:
        return self.of_pods

    def events(self) -> Mapping[str, list[dict[str, Any]]]:
        self.events_read += 1
        return {}

    def is_beside(self, **conditions: str) -> None:
        """Another revision serves, in this state; this one has its tag and is not routed."""
        other = release_of(number=6, release_id=ID[:-1] + "C")
        name = name_of_release("shop", other)
        self.others[name] = revision_of(other, **conditions)
        self.serves = serving(other, traffic=targets({name: 100}, {"n7": NAME}))
        missing = {"reason": "RevisionMissing", "message": f'Revision "{name}" failed to become ready.'}
        status = "False" if conditions.get("Ready") == "False" else "Unknown"
        self.serves["status"]["conditions"] = [
            {"type": "RoutesReady", "status": status, **missing},
            {"type": "ConfigurationsReady", "status": "True"},
        ]

    def says(self, reason: str) -> None:
        """The revision is not ready, for a reason."""
        self.now = revision_of(self.release, Ready="False")
        self.now["status"]["conditions"][0] |= {"reason": reason, "message": f"because of {reason}"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(readiness, "WINDOW", 0.0)
    monkeypatch.setattr(readiness, "POLL", 0.0)
    return World()


def step(world: World) -> Progress:
    """The next one."""
    follower = Readiness(world, _NoLogs(), settings_of(), own())  # type: ignore[arg-type]
    return next(follower.follow(Revision(name=NAME, release=None)))


def test_ready_and_routed(world: World) -> None:
    assert step(world).state == "ready"


def test_ready_without_its_route_waits(world: World) -> None:
    world.serves["metadata"]["generation"] = 3
    assert step(world) == Progress(state="waiting", reason="ready, its route is not there yet")


def test_a_crash_that_may_heal_is_not_failed_by_the_condition(world: World) -> None:
    """Knative says ExitCode1 from the first crash on, until everything is well."""
    world.says("ExitCode1")
    world.of_pods = [_pod({"user-container": _ended(restarts=1)})]
    told = step(world)
    assert told.state == "waiting"
    assert "exit 1 after 1 restart" in told.reason

    world.of_pods = [_pod({"user-container": _running(ready=False)})]
    assert step(world).state == "waiting"


def test_without_pods_the_condition_decides(world: World) -> None:
    world.says("ContainerMissing")
    told = step(world)
    assert told.state == "failed"
    assert told.dossier is not None
    assert told.dossier.cause == "image-missing"


def test_after_the_progress_deadline_the_pods_only_explain(world: World) -> None:
    world.says("ProgressDeadlineExceeded")
    world.of_pods = [_pod({"user-container": _running(ready=True), "queue-proxy": _running(ready=False)})]
    told = step(world)
    assert told.state == "failed"
    assert told.dossier is not None
    assert told.dossier.cause == "not-ready"
    assert "user-container" in told.dossier.hint or "kubectl" in told.dossier.hint
    assert "queue-proxy" not in told.dossier.hint


def test_what_comes_back_has_its_smallest_number_of_instances_first(world: World) -> None:
    world.now = revision_of(world.release)
    world.now["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] = "3"
    world.now["status"] |= {"desiredReplicas": 3, "actualReplicas": 1}
    assert step(world) == Progress(state="waiting", reason="1 of 3 instances")
    world.now["status"] |= {"actualReplicas": 3}
    assert step(world).state == "ready"


def test_what_has_a_tag_and_no_decision_of_the_autoscaler_yet_waits_for_its_instances(world: World) -> None:
    assert world.now is not None
    world.now["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] = "3"
    world.now["status"] |= {"desiredReplicas": 0, "actualReplicas": 0}
    assert step(world) == Progress(state="waiting", reason="0 of 3 instances")


@pytest.mark.parametrize("serving_is", ["False", "Unknown"])
def test_a_route_that_what_serves_holds_up_is_not_waited_for(world: World, serving_is: str) -> None:
    """It crashes by now, or has never been ready: the traffic is to be taken from it."""
    world.is_beside(Ready=serving_is)
    assert step(world).state == "ready"


def test_a_route_that_nothing_else_holds_up_is_waited_for(world: World) -> None:
    world.is_beside(Ready="True")
    assert step(world).state == "waiting"


def test_a_revision_that_is_gone_holds_it_up_as_well(world: World) -> None:
    world.is_beside(Ready="True")
    world.others.clear()
    assert step(world).state == "ready"


def test_events_are_not_read_with_every_look(world: World) -> None:
    world.says("ExitCode1")
    world.of_pods = [_pod({"user-container": _ended(restarts=1)})]
    follower = Readiness(world, _NoLogs(), settings_of(), own())  # type: ignore[arg-type]
    looks = follower.follow(Revision(name=NAME, release=None))
    assert {next(looks).state for _ in range(5)} == {"waiting"}
    assert world.events_read == 1


def test_a_pod_loses_no_time_while_another_one_is_worse_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told is the least patient trouble; what stands beside it goes on standing."""
    now = 0.0
    monkeypatch.setattr(readiness, "Patience", lambda: Patience(lambda: now))
    world.now = revision_of(world.release, Ready="Unknown")
    homeless, unlucky = _unscheduled("pod-1"), _pod({"user-container": _not_created()})
    unlucky["metadata"] |= {"name": "pod-2", "uid": "p2"}
    follower = Readiness(world, _NoLogs(), settings_of(), own(unschedulable_window="60s"))  # type: ignore[arg-type]
    looks = follower.follow(Revision(name=NAME, release=None))

    world.of_pods = [homeless]
    assert "no node for it" in next(looks).reason
    now, world.of_pods = 40.0, [homeless, unlucky]
    assert "could not be started yet" in next(looks).reason
    now, world.of_pods = 61.0, [homeless]
    told = next(looks)
    assert (told.state, told.dossier.cause if told.dossier else "") == ("failed", "no-capacity")


def test_scaled_to_zero_is_ready(world: World) -> None:
    assert world.now is not None
    world.now["status"] |= {"desiredReplicas": 0, "actualReplicas": 0}
    assert step(world).state == "ready"


class _NoLogs:
    def of_container(self, pod: str, container: str, lines: int, *, previous: bool) -> list[str]:
        return []


def _pod(containers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    statuses = [{"name": name, "image": "x", **status} for name, status in containers.items()]
    return {
        "metadata": {"name": "pod-1", "uid": "p1", "creationTimestamp": "2026-11-21T10:00:00Z"},
        "spec": {"containers": [{"name": name, "image": "x"} for name in containers]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": statuses,
        },
    }


def _unscheduled(name: str) -> dict[str, Any]:
    pod = _pod({})
    pod["metadata"]["name"] = name
    pod["status"] = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3"}]}
    return pod


def _not_created() -> dict[str, Any]:
    """A name that is still taken, a device that is busy: it may heal."""
    said = {"reason": "CreateContainerError", "message": "device is busy"}
    return {"state": {"waiting": said}, "restartCount": 0, "ready": False}


def _ended(restarts: int) -> dict[str, Any]:
    ended = {"exitCode": 1, "reason": "Error"}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
    return {"state": {"waiting": waiting}, "lastState": {"terminated": ended}, "restartCount": restarts, "ready": False}


def _running(*, ready: bool) -> dict[str, Any]:
    return {"state": {"running": {"startedAt": "2026-11-21T10:00:00Z"}}, "restartCount": 0, "ready": ready}
