"""The Job of `[rollout] before`, and the table of permissions."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Invalid
from shipper_targets.kubernetes import kinds
from shipper_targets.kubernetes.asking import ready_endpoints
from shipper_targets.kubernetes.findings import Patience
from shipper_targets.kubernetes.job_render import OnceRun, once_run, owned_by_job
from shipper_targets.kubernetes.jobs import OfJob
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.manifest import Manifest, rendered
from shipper_targets.kubernetes.permissions import ALL, COMMANDS, Uses, needs, required, role, rules
from shipper_targets.kubernetes.referenced import references_in
from shipper_targets.kubernetes.render import render
from tests.unit.kubernetes.kube_objects import condition, pod, running, terminated
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit


def once(command: tuple[str, ...] = ("migrate",), target: dict[str, Any] | None = None, **sections: Any) -> OnceRun:
    release = release_of(settings_of(**sections))
    whole = render(release, own(**(target or {})), "rolling")
    return once_run(whole, release, command, base="shop", gpu_resource="nvidia.com/gpu")


def container(made: OnceRun) -> dict[str, Any]:
    found: dict[str, Any] = made.job["spec"]["template"]["spec"]["containers"][0]
    return found


def test_it_runs_once_and_goes_by_itself() -> None:
    spec = once(rollout={"deadline": "10m"}).job["spec"]

    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (600, 600)


def test_the_command_replaces_cmd_and_is_taken_literally() -> None:
    made = container(once(("echo", "$(HOME)")))

    assert made["args"] == ["echo", "$$(HOME)"]
    assert not {"command", "readinessProbe", "startupProbe", "lifecycle", "ports"} & set(made)


def test_it_is_as_tight_as_the_service_and_takes_no_gpu() -> None:
    made = once(run={"gpu": 1, "memory": "1GiB"})

    assert container(made)["securityContext"]["allowPrivilegeEscalation"] is False
    assert container(made)["resources"]["limits"] == {"memory": "1Gi"}


def test_what_it_reads_of_its_own_release_is_a_copy_that_goes_with_it() -> None:
    made = once(run={"env": {"MODE": "x"}})
    (copy,) = made.copies

    assert made.job["spec"]["suspend"] is True
    assert copy["data"] == {"MODE": "x"}
    names = {one.name for one in references_in(made.job["spec"]["template"]["spec"]) if one.kind == "ConfigMap"}
    assert names == {copy["metadata"]["name"]}
    owned = owned_by_job(copy, {"metadata": {"name": "j", "uid": "u"}})
    assert owned["metadata"]["ownerReferences"] == [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u"}]


def test_it_is_made_suspended_so_that_one_whose_answer_is_lost_does_nothing() -> None:
    made = once()

    assert (made.job["spec"]["suspend"], made.copies) == (True, ())
    assert made.account is not None
    assert once(target={"service_account": "keeper"}).account is None


def test_of_several_containers_the_one_with_the_image_is_run() -> None:
    release = release_of()
    whole = render(release, own(), "rolling")
    body = whole.main.copied()
    body["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy", "image": "envoy"})
    changed = rendered([Manifest(body)], whole.workload)

    made = once_run(changed, release, ["x"], base="shop", gpu_resource="nvidia.com/gpu")

    assert made.container == whole.main.body["spec"]["template"]["spec"]["containers"][0]["name"]
    assert [one["name"] for one in made.job["spec"]["template"]["spec"]["containers"]] == [made.container]


def test_a_sidecar_comes_along_and_what_only_prepares_the_service_does_not() -> None:
    release = release_of()
    whole = render(release, own(), "rolling")
    body = whole.main.copied()
    proxy = {"name": "sql-proxy", "image": "proxy", "restartPolicy": "Always"}
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": "warm", "image": "x"}, proxy]

    made = once_run(rendered([Manifest(body)], whole.workload), release, ["x"], base="shop", gpu_resource="gpu")

    assert made.job["spec"]["template"]["spec"]["initContainers"] == [proxy]


def test_a_pull_secret_of_the_same_set_is_copied_too() -> None:
    release = release_of()
    whole = render(release, own(image_pull_secrets=["registry", "elsewhere"]), "rolling")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry", "namespace": "shops"}, "data": {}}

    made = once_run(
        rendered([Manifest(secret), whole.main], whole.workload), release, ["x"], base="shop", gpu_resource="gpu"
    )

    (copied,) = made.copies
    names = [one["name"] for one in made.job["spec"]["template"]["spec"]["imagePullSecrets"]]
    assert names == [copied["metadata"]["name"], "elsewhere"]


LOST = {
    "metadata": {"name": "j", "uid": "J"},
    "status": {"conditions": [condition("Failed", "True", "BackoffLimitExceeded", "Job has reached its limit")]},
}


class Known(OfJob):
    """With what the API server has told so far."""

    def __init__(
        self, *pods: dict[str, Any], job: dict[str, Any] = LOST, events: tuple[dict[str, Any], ...] = ()
    ) -> None:
        super().__init__(None, job)  # type: ignore[arg-type]
        told: dict[Kind, tuple[dict[str, Any], ...]] = {kinds.JOB: (job,), kinds.POD: pods, kinds.EVENT: events}
        self._told = {feed: told.get(feed.kind, ()) for feed in self.feeds}

    def known(self) -> dict[Any, Any]:
        return self._told


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param([], id="deleted by force"),
        pytest.param([pod(main=running(), deletionTimestamp="2026-11-21T10:00:00Z")], id="of a node that is lost"),
    ],
)
def test_a_command_whose_pod_was_lost_is_not_waited_for_until_the_deadline(pods: list[dict[str, Any]]) -> None:
    now = [0.0]
    patience = Patience(clock=lambda: now[0])
    of_job = Known(*pods)

    of_job.check(patience, 30.0)
    now[0] = 5.0
    with pytest.raises(Invalid, match=r"pod was lost before its end was known \(BackoffLimitExceeded"):
        of_job.check(patience, 30.0)


def test_a_command_that_ended_is_not_lost() -> None:
    patience = Patience(clock=iter([0.0, 100.0]).__next__)
    of_job = Known(pod(main=terminated(1)))

    of_job.check(patience, 30.0)
    of_job.check(patience, 30.0)


def refused(message: str) -> Known:
    """A Job whose pod the API server did not take."""
    told = {"reason": "FailedCreate", "message": message, "involvedObject": {"uid": "J"}}
    return Known(job={"metadata": {"name": "j", "uid": "J"}}, events=(told,))


@pytest.mark.parametrize(
    ("message", "patience"),
    [
        ('Internal error occurred: failed calling webhook "p": connection refused', 30.0),
        ('pods "j-" is forbidden: error looking up service account shops/shop: serviceaccount "shop" not found', 5.0),
    ],
)
def test_a_command_outlasts_a_webhook_that_is_away_for_a_moment(message: str, patience: float) -> None:
    now = [0.0]
    judge, of_job = Patience(clock=lambda: now[0]), refused(message)

    of_job.check(judge, 30.0)
    now[0] = patience - 1
    of_job.check(judge, 30.0)
    now[0] = patience
    with pytest.raises(Invalid, match="the command's pod is refused: "):
        of_job.check(judge, 30.0)


def test_what_admission_thinks_of_a_commands_pod_is_final() -> None:
    with pytest.raises(Invalid, match="the command's pod is refused: admission webhook"):
        refused('admission webhook "p" denied the request: no :latest').check(Patience(clock=lambda: 0.0), 30.0)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_whoever_only_looks_writes_nothing(command: str) -> None:
    writes = {"create", "patch", "delete", "update"}
    written = {one.resource for one in required(needs(command, ALL)) if writes & {*one.verbs}}

    if command in ("status", "verify"):
        assert written == {"pods/proxy"}  # a golden request may be a POST
    elif command in ("history", "logs"):
        assert written == set()
    else:
        assert {"deployments", "services"} <= written


def test_only_what_is_used_is_asked_for() -> None:
    least = {one.resource for one in needs("release", Uses())}

    assert not {"httproutes", "persistentvolumeclaims", "ingresses", "jobs", "serviceaccounts"} & least
    assert {"httproutes", "persistentvolumeclaims", "ingresses", "jobs"} <= {
        one.resource for one in needs("release", ALL)
    }


def written(uses: Uses) -> set[str]:
    return {one.resource for one in required(needs("release", uses)) if {"create", "patch", "delete"} & {*one.verbs}}


SMALLEST = {"deployments", "services", "secrets", "pods/proxy"}


@pytest.mark.parametrize(
    ("sections", "target", "more"),
    [
        ({}, {"service_account": "given"}, set()),
        ({}, {}, {"serviceaccounts"}),
        ({"run": {"env": {"A": "b"}}}, {"service_account": "given"}, {"configmaps"}),
        ({"scale": {"min": 2}}, {"service_account": "given"}, {"poddisruptionbudgets"}),
        ({"scale": {"min": 2}}, {"service_account": "given", "pdb": False}, set()),
        ({"scale": {"max": 3}}, {"service_account": "given"}, {"horizontalpodautoscalers"}),
        ({}, {"service_account": "given", "ingress": {"host": "a.example.com"}}, {"ingresses"}),
        ({"rollout": {"before": ["migrate"]}}, {"service_account": "given"}, {"jobs"}),
    ],
)
def test_a_release_may_write_no_more_than_it_renders(
    sections: dict[str, Any], target: dict[str, Any], more: set[str]
) -> None:
    uses = Uses.of(settings_of(**sections), own(**target))

    assert written(uses) == SMALLEST | more


def test_own_manifests_need_what_is_in_them_and_nothing_that_is_generated() -> None:
    target = own(manifests=["a.yaml"], ingress={"host": "a.example.com"})
    sections: dict[str, Any] = {"run": {"env": {"A": "b"}}, "scale": {"min": 2, "max": 3}}

    uses = Uses.of(settings_of(**sections), target, [kinds.DEPLOYMENT, kinds.CONFIG_MAP])

    assert written(uses) == SMALLEST | {"configmaps"}
    assert "list" in next(one.verbs for one in required(needs("remove", uses)) if one.resource == "configmaps")


def test_kinds_of_own_manifests_are_written_too() -> None:
    found = next(one for one in needs("release", Uses(others=(kinds.CRON_JOB,))) if one.resource == "cronjobs")

    assert (found.group, found.verbs) == ("batch", ("get", "create", "patch", "delete"))


def test_a_role_names_each_resource_once_and_nothing_of_the_whole_cluster() -> None:
    least = required(needs("release", ALL))
    made = role("shipper", "shops", least)

    names = [(rule["apiGroups"][0], rule["resources"][0]) for rule in made["rules"]]
    assert len(names) == len(set(names))
    assert ("", "nodes") not in names
    assert not any("*" in verb for rule in made["rules"] for verb in rule["verbs"])
    assert rules(least, wide=True) == []


def test_endpoints_of_two_address_families_are_asked_as_one() -> None:
    ready = {"targetRef": {"kind": "Pod", "name": "a", "uid": "1"}, "conditions": {"ready": True}}
    silent = {"targetRef": {"kind": "Pod", "name": "b", "uid": "2"}, "conditions": {}}
    leaving = {"targetRef": {"kind": "Pod", "name": "c", "uid": "3"}, "conditions": {"ready": False}}
    ports = [{"name": "http", "port": 8080}]

    found = ready_endpoints([{"ports": ports, "endpoints": one} for one in ([ready, leaving], [ready, silent])])

    assert [(one["targetRef"]["name"], {*ports}) for one, ports in found] == [
        ("a", {("http", 8080)}),
        ("b", {("http", 8080)}),
    ]
