"""What Knative's own webhook refuses we refuse first, and nothing else: both get the same manifests."""

from __future__ import annotations

import random
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies as st

from shipper.targets import Invalid
from shipper_targets.knative.cluster import Cluster, read_cluster
from shipper_targets.knative.kinds import SERVICE
from shipper_targets.knative.limits import limit_problems
from shipper_targets.knative.rules import violations
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import SERVICE_ACCOUNT
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.conftest import SEED, SWEEP
from tests.integration.knative.knative_cases import TAKEN, Manifest, all_cases, changed, valid
from tests.rig.kubernetes.handle import KubeRig
from tests.unit.knative.knative_configurations import configured
from tests.unit.knative.knative_objects import manifest_of

pytestmark = pytest.mark.integration

CASES = list(all_cases())


@pytest.fixture(scope="module")
def api(knative_rig: KubeRig) -> Iterator[Api]:
    namespace = knative_rig.namespace("webhook")
    own = KubernetesSettings(context="rig", kubeconfig=str(knative_rig.kubeconfig()), namespace=namespace)
    yield Api(own)
    knative_rig.drop(namespace)


@pytest.fixture(scope="module")
def cluster(api: Api) -> Cluster:
    found = read_cluster(api)
    assert found.known
    return found


@pytest.fixture(scope="module")
def accounts(api: Api) -> None:
    """Those that configurations name: whether they are there is for preflight to say."""
    for name in ("shop", "shop.v1"):
        api.create(SERVICE_ACCOUNT, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})


@pytest.mark.parametrize(("name", "changes", "taken"), CASES, ids=[case[0] for case in CASES])
def test_both_say_the_same(api: Api, cluster: Cluster, name: str, changes: tuple[object, ...], taken: bool) -> None:
    manifest = changed(valid(api.namespace), changes)  # type: ignore[arg-type]
    theirs = _webhook(api, manifest)
    ours = violations(manifest, cluster)
    assert (not theirs) is taken, f"Knative says otherwise than the table: {theirs or 'taken'}"
    assert (not ours) is taken, f"our rules say otherwise than Knative ({theirs or 'taken'}): {list(map(str, ours))}"


@pytest.mark.parametrize("seed", range(6))
def test_both_say_the_same_of_several_changes_at_once(api: Api, cluster: Cluster, seed: int) -> None:
    """Any two changes that are allowed are so together, unless both say otherwise."""
    chosen = random.Random(seed)
    allowed = [changes for changes in TAKEN.values() if changes]
    for _ in range(5):
        manifest = valid(api.namespace)
        try:
            for changes in chosen.sample(allowed, 3):
                manifest = changed(manifest, changes)
        except (KeyError, IndexError, TypeError):
            continue  # one takes away what the other changes
        theirs, ours = _webhook(api, manifest), violations(manifest, cluster)
        assert bool(theirs) is bool(ours), f"Knative: {theirs or 'taken'}; we: {list(map(str, ours))}; {manifest}"


@hypothesis.seed(SEED)
@hypothesis.settings(
    max_examples=400 if SWEEP else 30,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.filter_too_much],
)
@hypothesis.given(st.data())
def test_what_our_own_checks_let_through_it_takes(
    accounts: None, api: Api, cluster: Cluster, data: st.DataObject
) -> None:
    release, own = data.draw(configured(api.namespace))
    hypothesis.assume(not limit_problems(release, own, "shop", cluster))
    assert _webhook(api, manifest_of(release, own)) == ""


def _webhook(api: Api, manifest: Manifest) -> str:
    """Why it is refused; "" when it is taken. Never kept."""
    try:
        api.create(SERVICE, manifest, dry_run=True)
    except Invalid as error:
        return str(error)
    return ""
