"""Fixtures that start only what a test asks for. The rig is found if it is there and made if it is not."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

IN_CI = bool(os.environ.get("CI"))

# A busy machine is no defect of what is tested: no example of Hypothesis is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

SWEEP = bool(os.environ.get("SHIPPER_SWEEP"))
SEED = int(os.environ.get("SHIPPER_SEED") or random.SystemRandom().randrange(10**6))


def pytest_report_header() -> str:
    """Which cases a sample took can be had again."""
    if SWEEP:
        return "sweep: every case runs"
    return f"sample: SHIPPER_SEED={SEED} takes the same cases again, `make sweep` runs them all"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`sweep` tests run in `make sweep` only; of a `sample(n)` test's cases `make test` takes n, of those of a module
    that says `sample(n, of="module")` n.
    """
    if SWEEP:
        return
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if marker := item.get_closest_marker("sample"):
            separator = "::" if marker.kwargs.get("of") == "module" else "["
            cases.setdefault(item.nodeid.partition(separator)[0], []).append(item)
    left_out = {item.nodeid for item in items if item.get_closest_marker("sweep")}
    for several in cases.values():
        marker = several[0].get_closest_marker("sample")
        assert marker is not None, "only those with one were taken"
        taken = random.Random(SEED).sample(several, min(marker.args[0], len(several)))
        left_out |= {item.nodeid for item in several if item not in taken}
    gone = [item for item in items if item.nodeid in left_out]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item.nodeid not in left_out]


def needed(make: Callable[[], Rig]) -> Rig:
    """A missing part of the rig fails the suite in CI and skips, with the reason, elsewhere."""
    from tests.rig.api import RigError

    try:
        return make()
    except RigError as error:
        if IN_CI:
            raise
        pytest.skip(f"the rig is not complete: {error}")


def needed_or_skipped(reason: str) -> None:
    """What the rig cannot have here fails the suite in CI and skips, with the reason, elsewhere."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


def images_needed(rig: KubeRig) -> None:
    """The rig's nodes run a pod's image where there is an engine, and only play pods elsewhere."""
    if not rig.nodes.status()["engine"]:
        needed_or_skipped("there is no engine that this machine can reach: pods are only played")


@pytest.fixture(scope="session")
def rig() -> Rig:
    """Engine, registry, base image, proxy image, scanner and its database."""
    from tests.rig.api import DOCKER, ensure

    return needed(lambda: ensure(DOCKER))


@pytest.fixture(scope="session")
def google_rig() -> Rig:
    """The same, with Cloud Run and Artifact Registry."""
    from tests.rig.api import GOOGLE, ensure

    return needed(lambda: ensure(GOOGLE))


@pytest.fixture(scope="session")
def kube_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeRig]:
    """A Kubernetes cluster: the rig's own, or the one that SHIPPER_TEST_KUBECONFIG names."""
    from tests.rig.kubernetes.handle import THEIRS, kube_rig

    if not os.environ.get(THEIRS):
        from tests.rig.api import ensure

        needed(lambda: ensure(["kubernetes"]))
    with kube_rig(tmp_path_factory.mktemp("kubernetes")) as rig:
        yield rig


@pytest.fixture(scope="session")
def knative_rig(kube_rig: KubeRig) -> KubeRig:
    """The same with Knative Serving on it."""
    from tests.rig.kubernetes.handle import THEIRS

    if not os.environ.get(THEIRS):
        from tests.rig.api import ensure

        needed(lambda: ensure(["knative"]))
    return kube_rig


@pytest.fixture
def kube_namespace(kube_rig: KubeRig) -> Iterator[str]:
    """A fresh namespace, deleted after the test without waiting for it."""
    namespace = kube_rig.namespace()
    yield namespace
    kube_rig.drop(namespace)


@pytest.fixture(scope="session")
def trivy_rig() -> Rig:
    """The scanner and its database alone: no engine."""
    from tests.rig.api import ensure

    return needed(lambda: ensure(["trivy", "database"]))


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command to its end and keep its output."""

    def running(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, **options)  # type: ignore[call-overload,no-any-return]

    return running
