"""A namespace whose quota of Secrets our own records fill: what waits for room gets it from what nothing needs."""

from __future__ import annotations

import pytest

from shipper_targets.kubernetes.kinds import RESOURCE_QUOTA, SECRET
from shipper_targets.kubernetes.records import NoRoom
from shipper_targets.kubernetes.values import at, text
from tests.integration.kubernetes.kube_place import KubePlace, serving
from tests.integration.kubernetes.waiting import until
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


def recorded(shop: KubePlace) -> list[int]:
    return sorted(
        int(text(one, "metadata", "annotations", "shipper.dev/number")) for one in shop.api.list(SECRET).items
    )


def quota_of(shop: KubePlace, secrets: int) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"secrets": str(secrets)}},
    }
    shop.api.create(RESOURCE_QUOTA, body)
    until(lambda: at(shop.api.get(RESOURCE_QUOTA, "few"), "status", "used", "secrets") == str(secrets))


def test_a_rollback_is_recorded_although_old_records_fill_the_quota(kube_rig: KubeRig, kube_namespace: str) -> None:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    kube_rig.nodes.time_factor(0.05, kube_namespace)
    shop = KubePlace(kube_namespace, kube_rig.kubeconfig())
    one, two, three = (shop.release(text) for text in ("one", "two", "three"))
    for release in (one, two, three):
        shop.rolls_out(release)
    quota_of(shop, 3)

    shop.rolls_out(shop.release(back_to=two))

    assert recorded(shop) == [2, 3, 4]
    assert serving(shop.rolling().observe()) == {4: 100}
    assert any("of release 1, was deleted" in remark for remark in shop.remarks)

    # Of its content there are two by now; then each is one that clean-up leaves.
    shop.rolls_out(shop.release("four"))
    assert recorded(shop) == [3, 4, 5]
    with pytest.raises(NoRoom, match="exceeded quota: few"):
        shop.rolls_out(shop.release("five"))
    assert recorded(shop) == [3, 4, 5]
