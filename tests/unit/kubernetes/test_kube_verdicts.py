"""From what the API server says of a rollout to what a person should know: every case that the facts page names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper_targets.kubernetes.findings import Finding, Patience, failed, worst
from shipper_targets.kubernetes.findings import waiting as waits
from shipper_targets.kubernetes.pods import newest_set, selector_of
from shipper_targets.kubernetes.verdicts import Facts, rollout_finding
from tests.unit.kubernetes.kube_objects import (
    IMAGE,
    RELEASE_ID,
    TEMPLATE,
    condition,
    deployment,
    end,
    event,
    facts,
    pod,
    replica_set,
    running,
    terminated,
    waiting,
)

pytestmark = pytest.mark.unit

AT_ONCE, FOREVER = 0.0, float("inf")
BACK_OFF = f'Back-off pulling image "{IMAGE}"'
PULL = f'Failed to pull image "{IMAGE}": '


# One container

CONTAINERS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str, float, str]] = [
    (
        "an image that is not there",
        waiting("ErrImagePull", f'rpc error: code = NotFound desc = failed to resolve reference "{IMAGE}": not found'),
        [], "image-missing", AT_ONCE, "not found",
    ),
    (
        "a back-off that says why",
        waiting("ImagePullBackOff", f"{BACK_OFF}: ErrImagePull: manifest unknown"),
        [], "image-missing", AT_ONCE, "cannot be pulled: manifest unknown",
    ),
    (
        "a back-off of an older kubelet, whose event says why",
        waiting("ImagePullBackOff", BACK_OFF),
        [event("Failed", f"{PULL}pull access denied, repository does not exist or may require authorization")],
        "image-denied", AT_ONCE, "pull access denied",
    ),
    (
        "a registry that wants to know who asks",
        waiting("ErrImagePull", "failed to authorize: 401 Unauthorized"), [], "image-denied", AT_ONCE, "401",
    ),
    (
        "a registry that is away: once",
        waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout"),
        [event("Failed", f"{PULL}dial tcp 10.0.0.1:443: i/o timeout")],
        "image-unreachable", 30.0, "i/o timeout",
    ),
    (
        "a registry that is away: twice",
        waiting("ImagePullBackOff", BACK_OFF),
        [event("Failed", f"{PULL}dial tcp 10.0.0.1:443: i/o timeout", count=2)],
        "image-unreachable", AT_ONCE, "i/o timeout",
    ),
    (
        "a registry that has too many guests: twice",
        waiting("ImagePullBackOff", BACK_OFF),
        [event("Failed", f"{PULL}429 Too Many Requests", count=2)],
        "image-unreachable", 30.0, "429",
    ),
    (
        "a kubelet that pulls too much: twice",
        waiting("ErrImagePull", "pull QPS exceeded"),
        [event("Failed", f"{PULL}pull QPS exceeded", count=3)],
        "image-unreachable", 30.0, "QPS",
    ),
    (
        "a registry that is away, in two events",
        waiting("ImagePullBackOff", BACK_OFF),
        [event("Failed", f"{PULL}no such host"), event("Failed", f"{PULL}no such host")],
        "image-unreachable", AT_ONCE, "no such host",
    ),
    (
        "a registry with an unknown certificate",
        waiting("ErrImagePull", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        [], "image-unreachable", AT_ONCE, "x509",
    ),
    (
        "an image for another architecture",
        waiting("ErrImagePull", "no match for platform in manifest: not found"), [], "wrong-architecture", AT_ONCE,
        "no match for platform",
    ),
    ("a node without space", waiting("ErrImagePull", "write /x: no space left on device"), [], "no-capacity", AT_ONCE,
     "no space left"),
    ("words that nobody knows", waiting("ErrImagePull", "the gremlins took it"), [], "image-missing", 30.0, "gremlins"),
    ("a name that is none", waiting("InvalidImageName", "couldn't parse image name"), [], "image-missing", AT_ONCE,
     "InvalidImageName"),
    ("an image that must not be pulled", waiting("ErrImageNeverPull", "x"), [], "image-missing", AT_ONCE, "NeverPull"),
    ("a Secret that is not there", waiting("CreateContainerConfigError", 'secret "db" not found'), [],
     "config-missing", AT_ONCE, 'secret "db" not found'),
    ("a key that is not there",
     waiting("CreateContainerConfigError", "couldn't find key url in Secret shops/db"), [], "config-missing", AT_ONCE,
     "couldn't find key url in Secret shops/db"),
    ("a Secret that the kubelet has not read yet",
     waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"), [],
     "config-missing", 30.0, "failed to sync"),
    ("an image that runs as root",
     waiting("CreateContainerConfigError", 'container has runAsNonRoot and image will run as root (pod: "x", …)'), [],
     "runs-as-root", AT_ONCE, "container has runAsNonRoot and image will run as root"),
    ("a user that has a name",
     waiting("CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app), cannot …"),
     [], "runs-as-root", AT_ONCE, "non-numeric user (app)"),
    ("a container that cannot be made", waiting("CreateContainerError", "no command specified"), [], "crashed", AT_ONCE,
     "could not be started (CreateContainerError): no command specified"),
    ("a driver that is not loaded yet",
     waiting("RunContainerError", "nvidia-container-cli: initialization error: driver not loaded"), [], "crashed", 30.0,
     "could not be started yet (RunContainerError): nvidia-container-cli"),
    ("a container whose name is still taken", waiting("CreateContainerError", 'the name "x" is reserved for "y"'), [],
     "crashed", 30.0, "is reserved for"),
    ("a hook that fails", waiting("PostStartHookError", "exit 1"), [], "crashed", AT_ONCE, "PostStartHookError"),
    ("a program that is not there", terminated(128, "StartError", message='exec: "serve": executable file not found'),
     [], "crashed", AT_ONCE, "executable file not found"),
    ("the first crash", terminated(1), [], "crashed", FOREVER, "ended with exit 1 after 0 restarts"),
    ("the second crash", waiting("CrashLoopBackOff", restarts=1, ended=end(1)), [], "crashed", FOREVER, "1 restart"),
    ("the third crash", waiting("CrashLoopBackOff", restarts=2, ended=end(3)), [], "crashed", AT_ONCE, "exit 3"),
    ("a service that ends by itself", waiting("CrashLoopBackOff", restarts=2, ended=end(0, "Completed")), [],
     "crashed", AT_ONCE, "exit 0, Completed"),
    ("out of memory", terminated(137, "OOMKilled"), [], "out-of-memory", AT_ONCE, "ran out of memory"),
    ("out of memory, and started again", running(restarts=1, ended=end(137, "OOMKilled")), [], "out-of-memory", AT_ONCE,
     "ran out of memory"),
    ("killed by its startup probe, once", waiting("CrashLoopBackOff", restarts=0, ended=end(137)),
     [event("Unhealthy", "Startup probe failed: connection refused")], "not-ready", FOREVER, "startup probe's time"),
    ("killed by its startup probe, twice", waiting("CrashLoopBackOff", restarts=1, ended=end(143)),
     [event("Unhealthy", "Startup probe failed: connection refused")], "not-ready", AT_ONCE, "connection refused"),
    ("killed by its liveness probe", waiting("CrashLoopBackOff", restarts=2, ended=end(137)),
     [event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")], "crashed", AT_ONCE,
     "Liveness probe failed"),
    ("ended properly for its startup probe, once", waiting("CrashLoopBackOff", restarts=0, ended=end(0, "Completed")),
     [event("Unhealthy", "Startup probe failed: connection refused"),
      event("Killing", "Container main failed startup probe, will be restarted")], "not-ready", FOREVER,
     "startup probe's time"),
    ("ended properly for its startup probe, twice", waiting("CrashLoopBackOff", restarts=1, ended=end(0, "Completed")),
     [event("Unhealthy", "Startup probe failed: connection refused"),
      event("Killing", "Container main failed startup probe, will be restarted", count=2)], "not-ready", AT_ONCE,
     "connection refused"),
    ("another container's startup probe", waiting("CrashLoopBackOff", restarts=1, ended=end(0, "Completed")),
     [event("Unhealthy", "Startup probe failed: connection refused"),
      event("Killing", "Container main-proxy failed startup probe, will be restarted")], "crashed", FOREVER, "exit 0"),
    ("ended by itself, its startup probe was the time before",
     waiting("CrashLoopBackOff", restarts=1, ended=end(3)),
     [event("Unhealthy", "Startup probe failed: connection refused"),
      {**event("Killing", "Container main failed startup probe, will be restarted"),
       "lastTimestamp": "2026-11-21T09:59:00Z"}], "crashed", FOREVER, "exit 3"),
    ("ended properly for its liveness probe", waiting("CrashLoopBackOff", restarts=2, ended=end(0, "Completed")),
     [event("Unhealthy", "Liveness probe failed: statuscode: 500"),
      event("Killing", "Container main failed liveness probe, will be restarted")], "crashed", AT_ONCE,
     "Liveness probe failed"),
    ("running and not ready", running(), [event("Unhealthy", "Readiness probe failed: statuscode: 503")], "not-ready",
     FOREVER, "running, not ready: Readiness probe failed: statuscode: 503"),
    ("being made", waiting("ContainerCreating"), [], "not-ready", FOREVER, "ContainerCreating"),
    ("being pulled", waiting("ContainerCreating"), [event("Pulling", f'Pulling image "{IMAGE}"')], "not-ready", FOREVER,
     f"pulling {IMAGE}"),
    ("a reason of a later kubelet", waiting("WaitingForGodot", "soon"), [], "not-ready", FOREVER,
     "WaitingForGodot: soon"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "events", "cause", "patience", "words"),
    [case[1:] for case in CONTAINERS],
    ids=[c[0] for c in CONTAINERS],
)
def test_a_container(
    status: dict[str, Any], events: list[dict[str, Any]], cause: str, patience: float, words: str
) -> None:
    found = rollout_finding(facts(pod(main=status), events=events))

    assert (found.cause, found.patience) == (cause, patience)
    assert found.state == ("failed" if patience == AT_ONCE else "waiting")
    assert words in found.reason
    assert (found.pod, found.container) == ("shop-rs-a", "main")


def test_an_init_container_fails_as_any_other_and_is_named() -> None:
    found = rollout_finding(facts(pod(init=waiting("CrashLoopBackOff", restarts=2, ended=end(4)), main=waiting("x"))))

    assert (found.state, found.container, found.exit_code) == ("failed", "init", 4)
    assert found.previous


def test_an_init_container_that_has_done_its_work_says_nothing() -> None:
    found = rollout_finding(facts(pod(init=terminated(0, "Completed"), main=running())))

    assert (found.state, found.container) == ("waiting", "main")


def test_what_is_known_of_an_end_is_told() -> None:
    found = rollout_finding(facts(pod(main=waiting("CrashLoopBackOff", restarts=2, ended=end(3)))))

    assert (found.exit_code, found.lived, found.previous) == (3, 2.0, True)


# One pod


def unscheduled(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    return pod(status={"conditions": [condition("PodScheduled", "False", reason, message)]})


PODS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str, float, str]] = [
    ("no room", unscheduled("0/3 nodes are available: 3 Insufficient cpu."), [], "no-capacity", 30.0,
     "0/3 nodes are available: 3 Insufficient cpu."),
    ("an autoscaler makes room", unscheduled("0/3 nodes"), [event("TriggeredScaleUp", "pool 1->2")], "no-capacity",
     FOREVER, "an autoscaler is adding a node"),
    ("a claim that is not there", unscheduled('persistentvolumeclaim "models" not found'), [], "config-missing",
     AT_ONCE, 'persistentvolumeclaim "models" not found'),
    ("a gate", unscheduled("", "SchedulingGated"), [], "no-capacity", FOREVER, "gated"),
    ("a volume of a Secret that is not there", pod(main=waiting("ContainerCreating")),
     [event("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "db" not found')], "config-missing",
     AT_ONCE, 'secret "db" not found'),
    ("a volume of a key that is not there", pod(main=waiting("ContainerCreating")),
     [event("FailedMount", 'MountVolume.SetUp failed for volume "s" : references non-existent secret key: url')],
     "config-missing", AT_ONCE, "references non-existent secret key: url"),
    ("a volume that is elsewhere", pod(main=waiting("ContainerCreating")),
     [event("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"')], "volume", 120.0, "Multi-Attach"),
    ("a volume that was late", pod(main=waiting("ContainerCreating")),
     [event("FailedMount", 'configmap "c" not found'), event("Pulling", "x")], "not-ready", FOREVER,
     "ContainerCreating"),
    ("a node without network", pod(main=waiting("ContainerCreating")),
     [event("FailedCreatePodSandBox", "failed to set up sandbox: plugin type=calico failed")], "node", 60.0, "calico"),
    ("evicted by its own limit", pod(status={"phase": "Failed", "reason": "Evicted",
     "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."}), [], "evicted",
     AT_ONCE, "exceeds the total limit"),
    ("evicted by its node", pod(status={"phase": "Failed", "reason": "Evicted",
     "message": "The node was low on resource: memory."}), [], "evicted", FOREVER, "low on resource"),
    ("a device that is broken", pod(status={"phase": "Failed", "reason": "UnexpectedAdmissionError"}), [], "evicted",
     FOREVER, "UnexpectedAdmissionError"),
    ("not seen by a kubelet yet", pod(), [], "not-ready", FOREVER, "not started yet"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "events", "cause", "patience", "words"), [case[1:] for case in PODS], ids=[case[0] for case in PODS]
)
def test_a_pod(one: dict[str, Any], events: list[dict[str, Any]], cause: str, patience: float, words: str) -> None:
    found = rollout_finding(facts(one, events=events))

    assert (found.cause, found.patience) == (cause, patience)
    assert words in found.reason


@pytest.mark.parametrize(
    ("said", "state", "patience"),
    [
        ('secret "db" not found', "waiting", 60.0),
        ("couldn't find key url in Secret shops/db", "waiting", 60.0),
        ('secret "db-old" not found', "failed", AT_ONCE),
        ("container has runAsNonRoot and image will run as root", "failed", AT_ONCE),
    ],
)
def test_a_secret_that_somebody_else_makes_may_come_later(said: str, state: str, patience: float) -> None:
    lacking = pod(main=waiting("CreateContainerConfigError", said))
    unmounted = [event("FailedMount", f'MountVolume.SetUp failed for volume "s" : {said}')]

    in_variable = rollout_finding(facts(lacking), coming={"db"})
    in_volume = rollout_finding(facts(pod(main=waiting("ContainerCreating")), events=unmounted), coming={"db"})

    assert (in_variable.state, in_variable.patience) == (state, patience)
    assert said in in_variable.reason
    if 'secret "' in said:
        assert (in_volume.state, in_volume.patience) == (state, patience)


def test_a_readiness_gate_that_is_closed_is_named() -> None:
    gated = pod(main=running(ready=True))
    gated["spec"] = {**gated["spec"], "readinessGates": [{"conditionType": "lb.example.com/attached"}]}

    assert "waits for lb.example.com/attached" in rollout_finding(facts(gated)).reason


def thrown_out(name: str, node: str, *, made: str = "10:00:00", ended: str = "10:01:00") -> dict[str, Any]:
    ready = {**condition("Ready", "False"), "lastTransitionTime": f"2026-11-21T{ended}Z"}
    status = {"phase": "Failed", "reason": "Terminated", "message": "node shutdown", "conditions": [ready]}
    found = pod(name, status=status, creationTimestamp=f"2026-11-21T{made}Z")
    return {**found, "spec": {**found["spec"], "nodeName": node}}


def test_a_node_that_goes_takes_several_pods_and_no_release_with_it() -> None:
    gone = [thrown_out(name, "n1", made=made) for name, made in (("a", "10:00:00"), ("b", "10:00:40"))]

    assert rollout_finding(facts(*gone, pod("c", main=running()))).state == "waiting"


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(thrown_out("b", "n2"), id="by another node"),
        pytest.param(thrown_out("b", "n1", made="10:01:01", ended="10:02:00"), id="when it was replaced"),
    ],
)
def test_pods_that_are_thrown_out_again_are_no_accident(again: dict[str, Any]) -> None:
    found = rollout_finding(facts(thrown_out("a", "n1"), again, pod("c", main=running())))

    assert found.state == "failed"
    assert "2 pods: Terminated" in found.reason


def test_pods_that_were_thrown_out_in_an_earlier_life_can_be_left_out() -> None:
    out = [thrown_out("a", "n1"), thrown_out("b", "n2")]
    before, now = facts(*out), facts(*out, pod("c", main=running()))

    assert before.thrown_out == {"a", "b"}
    assert rollout_finding(now.without(before.thrown_out)).state == "waiting"


def test_a_pod_on_its_way_out_is_not_judged() -> None:
    leaving = pod(main=waiting("CrashLoopBackOff", restarts=9, ended=end(1)), deletionTimestamp="now")

    assert rollout_finding(facts(leaving)).state == "waiting"


# The rollout


def test_ready_is_kubectls_rule() -> None:
    done = deployment(replicas=2, updated=2, available=2)
    two = [pod(name, main=running(ready=True), conditions=[condition("Ready", "True")]) for name in "ab"]

    assert rollout_finding(facts(*two, of=done)) == Finding("ready")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (deployment(replicas=3, updated=1), "1 of 3 pods made"),
        (deployment(replicas=2, updated=2, total=3, available=2), "1 old pod is on its way out"),
        (deployment(replicas=2, updated=2, total=4, available=2), "2 old pods are on their way out"),
        (deployment(replicas=2, updated=2, available=1), "1 of 2 pods available"),
    ],
)
def test_what_is_still_missing_is_counted(one: dict[str, Any], words: str) -> None:
    found = rollout_finding(facts(of=one))

    assert found.state == "waiting"
    assert found.reason.startswith(words)


def test_nothing_is_believed_before_the_controller_has_seen_the_release() -> None:
    """Its conditions, and the ReplicaSet that its annotation names, are those of the release before."""
    late = deployment(
        observed=1, updated=1, available=1, conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded")]
    )

    found = rollout_finding(facts(pod(main=waiting("InvalidImageName")), of=late))

    assert (found.state, found.reason) == ("waiting", "accepted")


def test_only_pods_of_the_newest_replica_set_are_judged() -> None:
    old = {**TEMPLATE, "spec": {"containers": [{"name": "main", "image": "old"}]}}
    sets = [replica_set("old", old, revision="1"), replica_set("new", revision="2")]
    pods = [pod("a", owner="old", main=waiting("InvalidImageName")), pod("b", owner="new", main=running())]

    found = rollout_finding(facts(*pods, sets=sets))

    assert (found.state, found.pod) == ("waiting", "b")


def test_a_template_that_comes_back_has_the_set_that_it_had() -> None:
    """Its annotation follows later: the template decides."""
    old = {**TEMPLATE, "spec": {"containers": [{"name": "main", "image": "old"}]}}
    of = deployment(template=old)
    of["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
    sets = [replica_set("new", revision="2"), replica_set("old", old, revision="1")]

    found = newest_set(of, sets)

    assert found is not None
    assert found["metadata"]["uid"] == "old"


def test_where_no_template_is_equal_the_annotation_decides() -> None:
    of = deployment(template={**TEMPLATE, "spec": {"containers": [], "newDefault": True}})
    of["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"

    found = newest_set(of, [replica_set("a", revision="1"), replica_set("b", revision="2")])

    assert found is not None
    assert found["metadata"]["uid"] == "b"


def test_a_set_of_another_deployment_is_none_of_ours() -> None:
    stranger = replica_set("x", ownerReferences=[{"uid": "other", "controller": True}])

    assert newest_set(deployment(), [stranger]) is None


REFUSED = [
    ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', "quota", AT_ONCE),
    ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true', "refused", AT_ONCE),
    ('admission webhook "policy" denied the request: no latest', "refused", AT_ONCE),
    ('failed calling webhook "policy": connection refused', "refused", 30.0),
    ('error looking up service account shops/shop: serviceaccount "shop" not found', "refused", 5.0),
]


@pytest.mark.parametrize(("message", "cause", "patience"), REFUSED, ids=[case[0][:40] for case in REFUSED])
def test_pods_that_the_api_server_does_not_take(message: str, cause: str, patience: float) -> None:
    refusing = replica_set(conditions=[condition("ReplicaFailure", "True", "FailedCreate", message)])

    found = rollout_finding(facts(sets=[refusing]))

    assert (found.cause, found.patience) == (cause, patience)
    assert message in found.reason


def test_quota_waits_for_pods_that_are_leaving() -> None:
    refusing = replica_set(conditions=[condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: q")])
    leaving = pod("old", owner="other", deletionTimestamp="now")

    assert rollout_finding(facts(leaving, sets=[refusing])).state == "waiting"


def test_a_refusal_of_an_earlier_time_is_not_believed() -> None:
    """A set that comes back still has the condition of the last time, until its controller has seen it again."""
    stale = replica_set(
        conditions=[condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")], generation=2
    )

    assert rollout_finding(facts(sets=[stale])).state == "waiting"


def test_the_end_of_the_time_names_what_kept_it_and_may_be_stale_for_a_moment() -> None:
    late = deployment(
        updated=1, conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]
    )

    found = rollout_finding(facts(pod(main=running()), of=late))

    assert found.patience == 2.0
    assert found.reason == "no progress within 60 s: running, not ready"
    assert found.failed.state == "failed"


@pytest.mark.parametrize(
    ("one", "cause"),
    [
        (deployment(paused=True), "paused"),
        (deployment(replicas=0), "stopped"),
        (deployment(release="01M7Z6KKGHFZM5B2GX6JWMRERX"), "replaced"),
    ],
)
def test_what_will_never_go_on_is_said_at_once(one: dict[str, Any], cause: str) -> None:
    found = rollout_finding(facts(of=one), release=RELEASE_ID)

    assert (found.state, found.cause) == ("failed", cause)


def test_of_several_pods_the_one_that_failed_is_told() -> None:
    two = [pod("a", main=running()), pod("b", main=waiting("InvalidImageName", "x"))]

    found = rollout_finding(facts(*two, of=deployment(replicas=2, updated=2)))

    assert (found.state, found.pod) == ("failed", "b")


# Patience


def test_what_stands_too_long_has_failed() -> None:
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    standing = waits("no-capacity", "no node", patience=30.0)

    assert patience.judged(standing).state == "waiting"
    now[0] = 29.0
    assert patience.judged(waits("no-capacity", "other words", patience=30.0)).state == "waiting"
    now[0] = 30.0
    assert patience.judged(standing).state == "failed"


def test_patience_begins_anew_with_another_trouble() -> None:
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    patience.judged(waits("no-capacity", "no node", patience=30.0))
    now[0] = 20.0
    patience.judged(waits("not-ready", "starting"))
    now[0] = 31.0

    assert patience.judged(waits("no-capacity", "no node", patience=30.0)).state == "waiting"


def on_the_way_out(name: str, grace: int) -> dict[str, Any]:
    found = pod(name, owner="old", deletionTimestamp="2026-11-21T10:00:00Z")
    return {**found, "spec": {**found["spec"], "terminationGracePeriodSeconds": grace}}


def no_room(name: str) -> dict[str, Any]:
    return pod(name, status={"conditions": [condition("PodScheduled", "False", "Unschedulable", "0/3 nodes")]})


def is_ready_pod(name: str) -> dict[str, Any]:
    return pod(name, main=running(ready=True), conditions=[condition("Ready", "True")])


def test_a_rollout_whose_every_pod_gets_its_place_goes_on() -> None:
    """20 pods of a full pool, `max_surge = 0`: at every moment some other pod waits until an old one has gone."""
    now, states = [0.0], list[str]()
    patience = Patience(clock=lambda: now[0])
    for done in range(20):
        now[0] = done * 10.0
        ready = [is_ready_pod(f"new-{number:02}") for number in range(done)]
        of = deployment(replicas=20, updated=done + 1, total=20, available=19)
        states.append(patience.judged(rollout_finding(facts(*ready, no_room(f"new-{done:02}"), of=of))).state)

    assert set(states) == {"waiting"}


def test_a_pod_without_a_place_is_told_although_another_one_is_worse() -> None:
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    pulled = waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout")
    for moment in (0.0, 20.0, 30.0):
        now[0] = moment
        other = pod("a", main=pulled if moment else running())
        judged = patience.judged(rollout_finding(facts(other, no_room("b"))))

    assert (judged.state, judged.cause, judged.pod) == ("failed", "no-capacity", "b")


def test_room_is_waited_for_while_an_old_pod_leaves() -> None:
    of = deployment(replicas=2, updated=1, total=1)
    held = rollout_finding(facts(no_room("a"), on_the_way_out("o", 65), of=of))

    assert (held.state, held.cause, held.patience) == ("waiting", "no-capacity", 80.0)
    assert rollout_finding(facts(no_room("a"), on_the_way_out("o", 5), of=of)).patience == 30.0


def test_room_is_waited_for_while_a_new_pod_starts_that_an_old_one_makes_way_for() -> None:
    pods = [pod("a", main=running()), no_room("b")]

    assert rollout_finding(facts(*pods, of=deployment(replicas=4, updated=2, total=5))).patience == FOREVER
    alone = Patience(clock=iter([0.0, 30.0]).__next__)
    first = rollout_finding(facts(*pods, of=deployment(replicas=2, updated=2)))
    assert [alone.judged(first).state, alone.judged(first).cause] == ["waiting", "no-capacity"]


def refused_by_quota(*pods: dict[str, Any], **of: Any) -> Finding:
    told = condition("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: q')
    return rollout_finding(Facts(deployment(total=1, **of), [replica_set(conditions=[told])], pods))


def test_quota_is_waited_for_while_what_leaves_still_counts() -> None:
    leaving = [on_the_way_out("a", 300), on_the_way_out("b", 10)]

    assert (refused_by_quota(*leaving).state, refused_by_quota(*leaving).patience) == ("waiting", 315.0)
    assert refused_by_quota().state == "failed"


def test_quota_that_an_old_pod_leaves_is_taken_when_the_controller_tries_again() -> None:
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 60}}
    frees: dict[str, Any] = {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}
    told = condition("ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: q')
    sets = [replica_set(template=template, conditions=[told])]

    assert rollout_finding(Facts(deployment(template=template, **frees), sets)).patience == 75.0
    assert rollout_finding(Facts(deployment(template=template), sets)).state == "failed"
    quarter: dict[str, Any] = {"strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}
    assert rollout_finding(Facts(deployment(replicas=3, template=template, **quarter), sets)).state == "failed"
    assert rollout_finding(Facts(deployment(replicas=4, template=template, **quarter), sets)).state == "waiting"


def test_each_pod_that_leaves_is_another_wait_for_quota() -> None:
    assert refused_by_quota(on_the_way_out("a", 30)).key != refused_by_quota(on_the_way_out("b", 30)).key


def test_the_worst_is_what_failed_then_the_least_patient() -> None:
    some = [waits("a", ""), waits("b", "", patience=5.0), failed("c", ""), waits("d", "", patience=0.5)]

    assert [found.cause for found in (worst(some), worst(some[:2])) if found is not None] == ["c", "b"]
    assert worst([Finding("ready")]) is None


# Whatever the API server sends

_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12))
_MEMBERS = [
    "metadata", "spec", "status", "name", "uid", "labels", "annotations", "conditions", "type", "reason",
    "message", "state", "waiting", "terminated", "running", "lastState", "restartCount", "exitCode", "containers",
    "containerStatuses", "initContainerStatuses", "ownerReferences", "controller", "replicas", "updatedReplicas",
    "availableReplicas", "observedGeneration", "generation", "template", "selector", "matchLabels", "phase",
    "startedAt", "finishedAt", "count", "values", "matchExpressions", "key", "operator", "readinessGates",
]  # fmt: skip
_members = st.sampled_from(_MEMBERS)
_anything = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_members, inner, max_size=6)),
    max_leaves=25,
)
_objects = st.dictionaries(_members, _anything, max_size=6)


@settings(max_examples=40)
@given(_objects, st.lists(_objects, max_size=3), st.lists(_objects, max_size=3), st.lists(_objects, max_size=3))
def test_no_object_makes_it_raise(
    one: dict[str, Any], sets: list[dict[str, Any]], pods: list[dict[str, Any]], events: list[dict[str, Any]]
) -> None:
    for owned in (*sets, *pods):
        owned["metadata"] = {"uid": "rs", "ownerReferences": [{"uid": "rs", "controller": True}]}
    one["metadata"] = {"uid": "rs", "name": "shop"}

    found = rollout_finding(Facts(one, sets, pods, {"rs": events}))

    assert found.state in ("waiting", "ready", "failed")
    assert isinstance(selector_of(one), str)


@settings(max_examples=40)
@given(_anything, _anything)
def test_no_status_of_a_container_makes_it_raise(main: Any, init: Any) -> None:
    odd = pod(status={"containerStatuses": [main], "initContainerStatuses": [init]})

    assert rollout_finding(facts(odd)).state in ("waiting", "failed")
