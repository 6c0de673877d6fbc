"""Following a release on the rig's cluster: it becomes ready, or the reason why it never will is named at once."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from shipper.targets import NotFound
from shipper_targets.kubernetes.kinds import CLAIM, DEPLOYMENT, RESOURCE_QUOTA
from shipper_targets.kubernetes.values import at, objects, text
from tests.integration.kubernetes.kube_service import REPOSITORY, KubeService, settings_of
from tests.integration.kubernetes.waiting import until
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

SOON = 3.0
"""Seconds from the platform's knowledge to ours: issue 6."""


@pytest.fixture
def shop(kube_rig: KubeRig, kube_namespace: str) -> KubeService:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    return KubeService(kube_rig, kube_namespace)


def test_a_good_release_becomes_ready_and_steps_keep_coming(shop: KubeService) -> None:
    shop.rig.nodes.behave("slow", namespace=shop.namespace, seconds=2)
    revision = shop.apply(shop.release())

    moments, states = [time.monotonic()], []
    for step in shop.readiness.follow(revision):
        moments.append(time.monotonic())
        states.append(step.state)
    pauses = [later - earlier for earlier, later in pairwise(moments)]

    assert states[-1] == "ready"
    assert max(pauses) < 0.5


@pytest.mark.parametrize(
    ("behaviour", "reason", "cause", "words"),
    [
        ({"kind": "missing"}, "ErrImagePull", "image-missing", "cannot be pulled: rpc error: code = NotFound"),
        ({"kind": "invalid-name"}, "InvalidImageName", "image-missing", "InvalidImageName"),
        ({"kind": "config-error"}, "CreateContainerConfigError", "config-missing", "not found"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_keeps_a_container_from_starting_is_named_within_three_seconds(
    shop: KubeService, behaviour: dict[str, Any], reason: str, cause: str, words: str
) -> None:
    shop.rig.nodes.behave(**behaviour, namespace=shop.namespace)
    with shop.knowing(lambda pods: reason in _waiting_reasons(pods)) as known:
        last = shop.roll_out("bad")
        named = time.monotonic()
        _wait_for(known)

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == cause
    assert words in last.reason
    assert named - known[0] < SOON


def test_a_command_that_is_not_in_the_image_is_a_crash_with_its_words(shop: KubeService) -> None:
    shop.rig.nodes.behave("start-error", namespace=shop.namespace)

    last = shop.roll_out("bad")

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "crashed"
    assert "could not start" in last.reason


def test_a_crash_loop_shows_the_previous_containers_last_lines(shop: KubeService) -> None:
    lines = ["loading", "ModuleNotFoundError: No module named 'xgboost'"]
    shop.rig.nodes.behave("crash", namespace=shop.namespace, code=3, lines=lines)
    with shop.knowing(_has_restarted_twice) as known:
        last = shop.roll_out("bad")
        named = time.monotonic()
        _wait_for(known)

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "crashed"
    assert last.dossier.exit_status == 3
    assert last.dossier.log_tail == tuple(lines)
    assert "Python finds no module xgboost" in last.reason
    assert named - known[0] < SOON


def test_out_of_memory_is_named_at_the_first_time(shop: KubeService) -> None:
    shop.rig.nodes.behave("oom", namespace=shop.namespace)
    settings = settings_of(run={"memory": "64MiB"})
    with shop.knowing(lambda pods: "OOMKilled" in _end_reasons(pods)) as known:
        last = shop.roll_out("bad", settings)
        named = time.monotonic()
        _wait_for(known)

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "out-of-memory"
    assert last.dossier.exit_status == 137
    assert named - known[0] < SOON


def test_an_init_container_that_fails_is_the_reason(shop: KubeService) -> None:
    shop.rig.nodes.behave("crash", namespace=shop.namespace, container="migrate", code=4, lines=["no such table"])

    def with_init(body: dict[str, Any]) -> None:
        pod = body["spec"]["template"]["spec"]
        pod["initContainers"] = [{"name": "migrate", "image": pod["containers"][0]["image"]}]

    last = shop.follow(shop.apply(shop.release(), with_init))[-1]

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.exit_status == 4
    assert last.dossier.log_tail == ("no such table",)
    assert "what container migrate wrote last" in last.dossier.hint


def test_quota_is_named_in_the_api_servers_words(shop: KubeService) -> None:
    shop.admin.create(
        RESOURCE_QUOTA,
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tiny"}, "spec": {"hard": {"pods": "0"}}},
    )
    until(lambda: at(shop.admin.get(RESOURCE_QUOTA, "tiny"), "status", "hard") is not None)

    started = time.monotonic()
    last = shop.roll_out()

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "quota"
    assert "exceeded quota: tiny" in last.reason
    assert time.monotonic() - started < SOON


def test_what_no_node_has_room_for_fails_after_the_window_with_the_schedulers_words(
    kube_rig: KubeRig, kube_namespace: str
) -> None:
    shop = KubeService(kube_rig, kube_namespace, unschedulable_window="1s")

    started = time.monotonic()
    last = shop.roll_out(settings=settings_of(run={"memory": "900GB"}))

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "no-capacity"
    assert "Insufficient memory" in last.reason
    assert 1.0 < time.monotonic() - started < 1.0 + SOON


def test_a_claim_without_a_volume_is_told_with_its_name_and_not_with_what_makes_room(
    kube_rig: KubeRig, kube_namespace: str
) -> None:
    shop = KubeService(kube_rig, kube_namespace, unschedulable_window="1s")
    size = {"resources": {"requests": {"storage": "1Gi"}}}
    spec = {"accessModes": ["ReadOnlyMany"], "storageClassName": "", **size}
    shop.admin.create(CLAIM, {"apiVersion": "v1", "kind": CLAIM.kind, "metadata": {"name": "weights"}, "spec": spec})

    last = shop.roll_out(settings=settings_of(run={"volumes": [{"source": "pvc:weights", "target": "/models"}]}))

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.reason.endswith("PersistentVolumeClaims.")
    assert last.dossier.hint.startswith(f"kubectl describe pvc weights -n {kube_namespace} ")
    assert "[scale] min" not in last.dossier.hint


def test_never_ready_waits_with_the_probes_words_until_the_deadline(shop: KubeService) -> None:
    shop.rig.nodes.behave("notready", namespace=shop.namespace)
    settings = settings_of(rollout={"timeout": "6s"}, health={"path": "/ready"})

    steps = shop.follow(shop.apply(shop.release("bad", settings)))

    assert any("probe failed" in step.reason for step in steps if step.state == "waiting")
    assert steps[-1].state == "failed"
    assert steps[-1].dossier is not None
    assert steps[-1].dossier.cause == "not-ready"


def test_the_release_before_is_never_blamed_on_the_next(shop: KubeService) -> None:
    """Its ReplicaSet is still the Deployment's newest until the controller has seen the next template."""
    shop.rig.nodes.behave("missing", namespace=shop.namespace, image=f"{REPOSITORY}-bad")
    good = shop.release("good")
    assert shop.follow(shop.apply(good))[-1].state == "ready"
    for _ in range(3):
        assert shop.roll_out("bad").state == "failed"
        assert shop.roll_out("fine").state == "ready"


def test_a_paused_deployment_is_refused(shop: KubeService) -> None:
    revision = shop.apply(shop.release(), lambda body: body["spec"].update(paused=True))

    last = shop.follow(revision)[-1]

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "paused"
    assert "kubectl rollout resume" in last.dossier.hint


def test_a_release_that_was_replaced_meanwhile_has_failed(shop: KubeService) -> None:
    first = shop.apply(shop.release())
    shop.apply(shop.release("v2"))

    last = shop.follow(first)[-1]

    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "replaced"


def test_a_deployment_that_is_not_there_is_not_found(shop: KubeService) -> None:
    revision = shop.apply(shop.release())
    shop.admin.delete(DEPLOYMENT, "shop")

    with pytest.raises(NotFound):
        shop.follow(revision)


def test_the_rollout_goes_on_when_every_watch_is_cut_and_too_old(kube_rig: KubeRig, kube_namespace: str) -> None:
    kube_rig.nodes.behave("slow", namespace=kube_namespace, seconds=3)
    shop = KubeService(kube_rig, kube_namespace, gate=True)
    revision = shop.apply(shop.release())

    ended, steps = 0, []
    for step in shop.readiness.follow(revision):
        steps.append(step)
        if not ended and "pods" in step.reason:
            ended = kube_rig.watch_gone(kube_namespace)

    assert ended > 0
    assert steps[-1].state == "ready"


def test_the_rollout_goes_on_when_the_api_server_is_away_for_a_while(kube_rig: KubeRig, kube_namespace: str) -> None:
    """Through the gate, which refuses everything for a while: others share this API server."""
    kube_rig.nodes.behave("slow", namespace=kube_namespace, seconds=2)
    shop = KubeService(kube_rig, kube_namespace, gate=True)
    revision = shop.apply(shop.release())

    away, reasons = False, []
    for step in shop.readiness.follow(revision):
        reasons.append(step.reason)
        if not away and "pods" in step.reason:
            away = True
            for verb in ("list", "watch"):
                kube_rig.gate.fail(kube_namespace, "cut", verb=verb, times=6)
            kube_rig.watch_gone(kube_namespace)

    assert away
    assert step.state == "ready"


def test_watching_ends_with_whoever_asked(shop: KubeService) -> None:
    """No thread and no connection stays behind when the caller has had enough."""
    shop.rig.nodes.behave("notready", namespace=shop.namespace)
    revision = shop.apply(shop.release("bad"))
    steps = shop.readiness.follow(revision)
    while "probe failed" not in next(steps).reason:
        pass
    assert _watchers()

    steps.close()

    until(lambda: not _watchers())


def test_the_pods_that_run_print_their_logs_side_by_side(shop: KubeService) -> None:
    shop.rig.nodes.behave("crash", namespace=shop.namespace, lines=["hello", "bye"])
    shop.settings = settings_of(scale={"min": 2})
    revision = shop.apply(shop.release("bad"))
    last = shop.follow(revision)[-1]
    assert last.state == "failed"

    until(lambda: len({line.split("]")[0] for line in shop.logs.last(revision, 50)}) == 2)
    lines = shop.logs.last(revision, 50)

    assert all(line.startswith("[") for line in lines)
    assert {line.partition("] ")[2] for line in lines} == {"hello", "bye"}


def _waiting_reasons(pods: list[dict[str, Any]]) -> set[str]:
    return {text(one, "state", "waiting", "reason") for one in _statuses(pods)}


def _end_reasons(pods: list[dict[str, Any]]) -> set[str]:
    return {text(one, where, "terminated", "reason") for one in _statuses(pods) for where in ("state", "lastState")}


def _has_restarted_twice(pods: list[dict[str, Any]]) -> bool:
    return any(one.get("restartCount", 0) >= 2 and not at(one, "state", "running") for one in _statuses(pods))


def _statuses(pods: list[dict[str, Any]]) -> list[Any]:
    return [one for pod in pods for one in objects(pod, "status", "containerStatuses")]


def _watchers() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("shipper-watch")]


def _wait_for(known: list[float]) -> None:
    until(lambda: bool(known))
