"""What `shipper plan` says, which builds nothing: its release has no image yet, as a release of the same source has it.

On the rig's control plane, whose own dry runs are asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.model import ImageRef, Plan, Release, fingerprint_of
from shipper.targets import UNBUILT
from shipper_targets.kubernetes.kinds import SECRET, SERVICE
from shipper_targets.kubernetes.plan_parts import SAME
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.weighted import WeightedTarget
from tests.integration.kubernetes.kube_place import KubePlace
from tests.integration.kubernetes.kube_service import REPOSITORY
from tests.integration.kubernetes.test_kube_own_writes import MANIFESTS
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

SECTIONS: dict[str, Any] = {"run": {"env": {"MODE": "one"}, "cpu": 0.1}, "scale": {"min": 2, "max": 4}}
OTHER = {"env": {"MODE": "two"}, "cpu": 0.1}
GATEWAY = {"gateway": {"name": "front", "hosts": ["shop.example.com"]}}
INGRESS = {"ingress": {"host": "shop.example.com"}}

PLACES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "rolling": (None, INGRESS),
    "recreate": ("recreate", {}),
    "blue-green": ("blue-green", INGRESS),
    "canary": ("canary", GATEWAY),
}


class Shop(KubePlace):
    """With secrets of the platform, and what every strategy needs."""

    @property
    def is_weighted(self) -> bool:
        return self.settings.rollout.strategy in ("blue-green", "canary")

    def target(self) -> RollingTarget | WeightedTarget:
        return self.weighted() if self.is_weighted else self.rolling()

    def versions(self) -> Mapping[str, str]:
        return self.target().secret_versions(self.settings.run.secrets) if self.settings.run.secrets else {}

    def made(self, text: str = "good") -> Release:
        """As a release is, with the versions of its secrets."""
        release, versions = super().release(text), dict(self.versions())
        fingerprint = fingerprint_of(release.images, release.settings, versions)
        return release.model_copy(update={"secret_versions": versions, "fingerprint": fingerprint})

    def goes_out(self) -> None:
        release = self.made()
        _ = self.goes_over(release) if self.is_weighted else self.rolls_out(release)

    def plans(self) -> Plan:
        """As the command asks for it."""
        target = self.target()
        now = target.observe()
        digest = now.main.image if now.main is not None and now.main.image else UNBUILT
        release = self.made()
        images = {"main": ImageRef(config_digest=digest, reference="", platform="linux/amd64")}
        fingerprint = fingerprint_of(images, release.settings, dict(release.secret_versions))
        return target.plan(release.model_copy(update={"images": images, "fingerprint": fingerprint}), now)


def shop_in(rig: KubeRig, namespace: str, strategy: str | None, own: dict[str, Any]) -> Shop:
    rig.nodes.behave("good", namespace=namespace)
    rig.nodes.time_factor(0.05, namespace)
    sections = {**SECTIONS, "rollout": {"strategy": strategy} if strategy else {}}
    return Shop(namespace, rig.kubeconfig(), sections=sections, pre_stop=0, **own)


@pytest.fixture(params=PLACES)
def shop(request: pytest.FixtureRequest, kube_rig: KubeRig, kube_namespace: str) -> Shop:
    return shop_in(kube_rig, kube_namespace, *PLACES[request.param])


@pytest.fixture
def rolling(kube_rig: KubeRig, kube_namespace: str) -> Shop:
    return shop_in(kube_rig, kube_namespace, *PLACES["rolling"])


def lines(plan: Plan) -> list[str]:
    return [f"{one.action} {one.subject}: {one.before} -> {one.after}" for one in plan.changes]


def everything(plan: Plan) -> str:
    return "\n".join([plan.summary, *lines(plan), *plan.remarks])


def test_a_first_release_is_its_objects_and_nothing_that_never_comes(shop: Shop) -> None:
    plan = shop.plans()
    name = "shop-…" if shop.is_weighted else "shop"
    assert plan.summary == "a first release"
    assert lines(plan)[:2] == ["create revision:  -> shop-…", "create image:  -> to be built"]
    assert {f"create Deployment/{name}:  -> new", "create Service/shop:  -> new"} <= {*lines(plan)}
    assert all(one.endswith(" -> new") for one in lines(plan)[2:]), lines(plan)
    assert plan.remarks == ()
    assert "000000" not in everything(plan)


def test_with_nothing_changed_it_says_what_a_release_would_do(shop: Shop) -> None:
    shop.goes_out()
    plan = shop.plans()
    assert (plan.summary, plan.empty, plan.remarks) == (SAME, True, ())


def test_another_shape_is_told_although_nothing_else_changes(rolling: Shop) -> None:
    rolling.goes_out()
    rolling.sets(rollout={"strategy": "blue-green"})
    plan = rolling.plans()
    assert plan.summary == SAME
    assert [one.partition(":")[0] for one in plan.remarks] == ["changes from rolling to one Deployment per release"]


def test_a_port_that_an_adopted_service_loses_is_told(rolling: Shop) -> None:
    legacy = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    rolling.api.create(SERVICE, {**legacy, "spec": {"ports": [{"port": 8080}], "selector": {"app": "legacy"}}})
    rolling.own["adopt"] = True
    assert "Service shop loses port 8080, and has 80 alone: service_port = 8080 keeps that" in rolling.plans().remarks
    rolling.own["service_port"] = 8080
    assert not [one for one in rolling.plans().remarks if "loses port" in one]


def test_a_variable_is_a_change_and_so_is_nothing_beside_it(shop: Shop) -> None:
    shop.goes_out()
    shop.sets(run=OTHER)
    plan = shop.plans()
    main = shop.target().observe().main
    assert main is not None
    told = lines(plan)
    assert plan.summary == "a new revision"
    assert (told[0], told[-1]) == ("create revision:  -> shop-…", f"shift traffic: {main.name} -> shop-…")
    changed = [one for one in told[2:-1] if "ConfigMap/" not in one and "configMapRef" not in one]
    assert changed == [], told
    assert any("ConfigMap/" in one for one in told), told
    assert plan.remarks == ()
    assert "000000" not in everything(plan)


def test_another_value_of_a_secret_is_a_change(shop: Shop) -> None:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    shop.api.create(SECRET, {**body, "stringData": {"token": "a"}})
    shop.sets(run={**SECTIONS["run"], "secrets": {"TOKEN": "kubernetes:keys/token"}})
    shop.goes_out()
    assert shop.plans().empty
    shop.api.merge(SECRET, "keys", {"stringData": {"token": "b"}})
    plan = shop.plans()
    assert not plan.empty
    assert [one.subject for one in plan.changes][2:-1] == ["run.secrets.TOKEN (version)"], lines(plan)


def test_what_shows_in_no_object_is_told_as_it_is_configured(rolling: Shop) -> None:
    rolling.goes_out()
    rolling.sets(health={"status": 204})
    assert "change health.status: 200 -> 204" in lines(rolling.plans())


def test_what_a_newer_release_never_proved_is_released_again(shop: Shop) -> None:
    """It serves with this very content, and no run has lived to say that it is well."""
    shop.goes_out()
    target = shop.target()
    now = target.observe()
    shop.begins()
    target.write_stamp(shop.stamp(now, verified=()), now.seen)
    assert shop.plans().summary == "a new revision"


@pytest.mark.parametrize(
    ("strategy", "told"),
    [(None, "will be removed"), ("blue-green", "will be removed with the last revision that needs it")],
    ids=["rolling", "blue-green"],
)
def test_what_goes_is_said_to_go_and_when(
    kube_rig: KubeRig, kube_namespace: str, strategy: str | None, told: str
) -> None:
    shop = shop_in(kube_rig, kube_namespace, strategy, INGRESS)
    shop.goes_out()
    del shop.own["ingress"]
    shop.sets(run=OTHER)  # settings of the place are part of the fingerprint, which this helper does not make
    assert f"remove Ingress/shop:  -> {told}" in lines(shop.plans())


@pytest.fixture
def web(kube_rig: KubeRig, kube_namespace: str, tmp_path: Path) -> Shop:
    kube_rig.nodes.behave("good", namespace=kube_namespace)
    place = Shop(kube_namespace, kube_rig.kubeconfig(), manifests=["web.yaml"])
    place.root = tmp_path
    (tmp_path / "web.yaml").write_text(MANIFESTS.format(mode="one", repository=REPOSITORY))
    return place


def test_own_manifests_have_no_other_image_than_the_one_that_comes(web: Shop, tmp_path: Path) -> None:
    first = web.plans()
    assert first.remarks == ()
    assert "create Deployment/web:  -> new" in lines(first)
    web.goes_out()
    assert web.plans().empty
    (tmp_path / "web.yaml").write_text(MANIFESTS.format(mode="two", repository=REPOSITORY))
    web.sets(run={"cpu": 0.2})  # as above
    plan = web.plans()
    assert "change ConfigMap/web-config data.MODE: one -> two" in lines(plan)
    assert not [one for one in lines(plan) if ".image" in one or ":any" in one], lines(plan)


def test_what_is_adopted_is_to_have_an_image_that_is_to_be_built(web: Shop, kube_rig: KubeRig) -> None:
    from shipper_targets.kubernetes.kinds import DEPLOYMENT

    spec = {"containers": [{"name": "web", "image": f"{REPOSITORY}-other:1"}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    web.api.create(DEPLOYMENT, {**body, "spec": {"selector": {"matchLabels": labels}, "template": template}})
    web.own["adopt"] = True
    plan = web.plans()
    image = next(one for one in lines(plan) if one.startswith("change Deployment/web") and ".image:" in one)
    assert image.endswith(f"{REPOSITORY}-other:1 -> to be built"), lines(plan)
    assert not [one for one in lines(plan) if "metadata.labels" in one]
    (told,) = [one for one in lines(plan) if "labels of" in one]
    assert "shipper.dev/instance" in told
    assert "000000" not in everything(plan)
