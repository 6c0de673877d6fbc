"""`[rollout] before` as a Job: its exit status, its output, why it cannot be run, and what is left of it: nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shipper.errors import Interrupted
from shipper.model import Release
from shipper.targets import Conflict, Invalid, Transient
from shipper_targets.kubernetes.job_render import ONCE, once_run
from shipper_targets.kubernetes.jobs import Jobs
from shipper_targets.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, RESOURCE_QUOTA, SERVICE_ACCOUNT
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.permissions import Uses, needs, rules
from shipper_targets.kubernetes.values import at, name_of, text
from tests.conftest import images_needed
from tests.integration.kubernetes.kube_service import KubeService, settings_of
from tests.integration.kubernetes.waiting import until
from tests.rig.images import BASE
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.remarks: list[str] = []

    def log(self, line: str, stream: str = "stdout") -> None:
        self.lines.append(line)

    def remark(self, text: str) -> None:
        self.remarks.append(text)


class Cancelled:
    """Cancelled when a test says so."""

    def __init__(self) -> None:
        self.now = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.now.is_set()

    def check(self) -> None:
        if self.now.is_set():
            raise Interrupted("interrupted")

    def wait(self, seconds: float) -> bool:
        return self.now.wait(seconds)


class Place(KubeService):
    """Where commands are run."""

    told: Told
    cancel: Cancelled

    def jobs(self) -> Jobs:
        self.told, self.cancel = Told(), Cancelled()
        return Jobs(self.api, self.logs, self.own, "shop", self.told, self.cancel)  # type: ignore[arg-type]

    def leftovers(self) -> list[str]:
        found = [*self.admin.list(JOB).items, *self.admin.list(POD).items]
        return [name_of(one) for one in found if not at(one, "metadata", "deletionTimestamp")]


@pytest.fixture
def place(kube_rig: KubeRig, kube_namespace: str) -> Place:
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    return Place(kube_rig, kube_namespace)


@pytest.mark.parametrize("code", [0, 3])
def test_its_exit_status_and_its_output_are_told(place: Place, code: int) -> None:
    place.rig.nodes.behave("exit", namespace=place.namespace, code=code, lines=["migrating", "done"])
    release = place.release()

    status = place.jobs().run(release, place.render(release), ["migrate", "--all"])

    assert status == code
    assert place.told.lines == ["migrating", "done"]
    until(lambda: not place.leftovers())


def test_it_has_the_new_releases_environment_before_anything_of_it_is_applied(place: Place) -> None:
    """The ConfigMap is a copy that goes with the Job: the release's own is not there yet."""
    images_needed(place.rig)
    release = place.release(settings=settings_of(run={"env": {"MODE": "migrate"}, "user": "1234"}))
    whole = _with_image(place.render(release), release)

    status = place.jobs().run(release, whole, ["python", "-c", "import os; print(os.environ['MODE'], os.getuid())"])

    assert (status, place.told.lines) == (0, ["migrate 1234"])
    assert place.admin.find(DEPLOYMENT, "shop") is None
    ours = [name_of(one) for one in place.admin.list(CONFIG_MAP, labels=f"{ONCE}=shop").items]
    until(lambda: all(place.admin.find(CONFIG_MAP, name) is None for name in ours))


def test_no_service_sends_it_requests(place: Place) -> None:
    """Its pod has none of the labels by which Deployment and Service find theirs."""
    release = place.release()
    whole = place.render(release)
    labels = once_run(whole, release, ["x"], base="shop", gpu_resource="nvidia.com/gpu").job["spec"]["template"][
        "metadata"
    ]["labels"]

    for service in whole.of_kind("Service"):
        selector = service.body["spec"]["selector"]
        assert not all(labels.get(key) == value for key, value in selector.items())
    matched = whole.main.body["spec"]["selector"]["matchLabels"]
    assert not any(key in labels for key in matched)


def test_an_image_that_cannot_be_pulled_is_said_at_once(place: Place) -> None:
    place.rig.nodes.behave("missing", namespace=place.namespace)
    release = place.release()

    with pytest.raises(Invalid, match="cannot be pulled"):
        place.jobs().run(release, place.render(release), ["migrate"])

    until(lambda: not place.leftovers())


def test_a_pod_that_quota_refuses_is_said_in_its_words(place: Place) -> None:
    place.admin.create(
        RESOURCE_QUOTA,
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tiny"}, "spec": {"hard": {"pods": "0"}}},
    )
    until(lambda: at(place.admin.get(RESOURCE_QUOTA, "tiny"), "status", "hard") is not None)
    release = place.release()

    with pytest.raises(Invalid, match="exceeded quota: tiny"):
        place.jobs().run(release, place.render(release), ["migrate"])


def test_out_of_memory_is_a_status_and_a_word(place: Place) -> None:
    place.rig.nodes.behave("oom", namespace=place.namespace)
    release = place.release()

    assert place.jobs().run(release, place.render(release), ["migrate"]) == 137
    assert any("out of memory" in line for line in place.told.lines)


def test_cancelled_it_is_removed(place: Place) -> None:
    place.rig.nodes.behave("good", namespace=place.namespace)
    release = place.release()
    jobs = place.jobs()

    with _meanwhile(lambda: bool(place.admin.list(POD).items), place.cancel.now.set), pytest.raises(Interrupted):
        jobs.run(release, place.render(release), ["sleep"])

    until(lambda: not place.leftovers())


def test_one_whose_creation_was_not_answered_does_nothing_and_is_cleared_away(
    kube_rig: KubeRig, kube_namespace: str
) -> None:
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    kube_rig.nodes.behave("exit", namespace=kube_namespace, code=0)
    place = Place(kube_rig, kube_namespace, gate=True)
    release = place.release()

    kube_rig.gate.fail(kube_namespace, "cut-after", verb="create", resource="jobs.batch")
    with pytest.raises(Transient):
        place.jobs().run(release, place.render(release), ["migrate"])

    (left,) = place.admin.list(JOB).items
    until(lambda: any(one["type"] == "Suspended" for one in at(_job(place), "status", "conditions") or ()))
    assert at(left, "spec", "suspend") is True
    assert not place.admin.list(POD).items
    assert place.jobs().run(place.release(), place.render(release), ["migrate"]) == 0
    until(lambda: not place.leftovers())


def _job(place: Place) -> dict[str, Any]:
    return place.admin.list(JOB).items[0]


def test_one_that_is_still_at_work_is_not_overlapped_and_a_finished_one_is_cleared_away(place: Place) -> None:
    place.rig.nodes.behave("good", namespace=place.namespace)
    release = place.release()
    made = once_run(place.render(release), release, ["sleep"], base="shop", gpu_resource="nvidia.com/gpu")
    place.admin.create(SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}})
    place.admin.create(JOB, {**made.job, "spec": {**made.job["spec"], "suspend": False}})

    with pytest.raises(Conflict, match="still at work"):
        place.jobs().run(place.release(), place.render(release), ["sleep"])

    until(lambda: [text(pod, "status", "phase") for pod in place.admin.list(POD).items] == ["Running"])
    place.rig.nodes.kill(place.namespace, name_of(place.admin.list(POD).items[0]))
    place.rig.nodes.behave("exit", namespace=place.namespace, code=0)
    until(lambda: bool(at(place.admin.get(JOB, name_of(made.job)), "status", "conditions")))
    assert place.jobs().run(release, place.render(release), ["migrate"]) == 0


def test_the_role_of_a_release_is_enough(kube_rig: KubeRig, kube_namespace: str) -> None:
    kube_rig.nodes.behave("exit", namespace=kube_namespace, code=0, lines=["done"])
    needed = rules(needs("release", Uses(once=True, account=True, variables=True)))
    place = Place(kube_rig, kube_namespace, kubeconfig=kube_rig.kubeconfig_for(kube_namespace, needed))
    release = place.release(settings=settings_of(run={"env": {"MODE": "x"}}))

    assert place.jobs().run(release, place.render(release), ["migrate"]) == 0
    assert place.told.lines == ["done"]


def _with_image(whole: Rendered, release: Release) -> Rendered:
    """The rig's base image, which really runs, in the place of the release's."""
    changed: list[Manifest] = []
    for one in whole.manifests:
        body: dict[str, Any] = one.copied()
        if one.key == whole.workload:
            body["spec"]["template"]["spec"]["containers"][0]["image"] = BASE
        changed.append(Manifest(body))
    return Rendered(tuple(changed), whole.workload, whole.content)


@contextmanager
def _meanwhile(holds: Callable[[], bool], action: Callable[[], object]) -> Iterator[None]:
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set() and not holds():
            ended.wait(0.05)
        action()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    yield
    ended.set()
    looking.join(10)
