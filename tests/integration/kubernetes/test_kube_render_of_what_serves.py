"""What `shipper render` writes for the release that serves is what runs: applied again it changes nothing."""

from __future__ import annotations

import pytest
import yaml

from shipper_targets.kubernetes.differences import object_changes
from shipper_targets.kubernetes.kinds import WELL_KNOWN
from shipper_targets.kubernetes.manifest import Manifest
from tests.integration.kubernetes.kube_place import KubePlace
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


def test_what_is_written_out_is_what_runs(kube_rig: KubeRig, kube_namespace: str) -> None:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    shop = KubePlace(kube_namespace, kube_rig.kubeconfig(), sections={"run": {"env": {"MODE": "on"}, "cpu": 0.1}})
    shop.rolls_out(shop.release("one"))
    (record,) = shop.rolling().records()

    files = shop.rolling().render(record)

    assert [name for name, _ in files] == [
        "serviceaccount-shop.yaml",
        "configmap-shop-env.yaml",
        "deployment-shop.yaml",
        "service-shop.yaml",
    ]
    for _, text in files:
        manifest = Manifest(yaml.safe_load(text))
        kind = WELL_KNOWN[(manifest.api_version, manifest.kind)]
        live = shop.api.get(kind, manifest.name)
        again = shop.api.apply(manifest.body, force=True, dry_run=True)
        assert object_changes(manifest.key, live, again) == []


def test_what_is_written_out_does_not_say_which_release_it_was(kube_rig: KubeRig, kube_namespace: str) -> None:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    shop = KubePlace(kube_namespace, kube_rig.kubeconfig())
    one = shop.release("one")
    shop.goes_over(one)

    files = dict(shop.weighted().render(shop.weighted().records()[0]))

    assert "deployment-shop.yaml" in files
    assert one.id not in "".join(files.values())
