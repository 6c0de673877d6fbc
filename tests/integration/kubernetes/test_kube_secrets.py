"""Secrets of a namespace as versions: what they mean now, whether the values of then are still there."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shipper.targets import Denied, Invalid, NotFound
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.kube_secrets import KubeSecrets, gone
from tests.integration.kubernetes.kube_service import KubeService
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration


class Safe(KubeService):
    """A namespace with a Secret "db" in it."""

    def put(self, name: str = "db", *, immutable: bool = False, **values: str) -> dict[str, Any]:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        return self.admin.create(SECRET, {**body, **({"immutable": True} if immutable else {})})

    @property
    def secrets(self) -> KubeSecrets:
        return KubeSecrets(self.api)


@pytest.fixture
def safe(kube_rig: KubeRig, kube_namespace: str) -> Safe:
    return Safe(kube_rig, kube_namespace)


def test_a_reference_is_pinned_to_the_object_and_its_version(safe: Safe) -> None:
    made = safe.put(url="postgres://one")

    versions = safe.secrets.versions({"DB": "kubernetes:db/url"})

    metadata = made["metadata"]
    assert versions == {"DB": f"kubernetes:db/url@{metadata['uid']}.{metadata['resourceVersion']}"}
    assert safe.secrets.versions(versions) == versions
    assert safe.secrets.value("kubernetes:db/url") == safe.secrets.value(versions["DB"]) == b"postgres://one"


def test_a_changed_secret_has_another_version_and_the_values_of_then_are_gone(safe: Safe) -> None:
    safe.put(url="one")
    then = safe.secrets.versions({"DB": "kubernetes:db/url"})
    safe.admin.merge(SECRET, "db", {"data": {"url": base64.b64encode(b"two").decode()}})

    assert safe.secrets.versions({"DB": "kubernetes:db/url"}) != then
    with pytest.raises(NotFound, match=r"was changed since.*--secrets current"):
        safe.secrets.versions(then)
    with pytest.raises(NotFound, match="--secrets current"):
        safe.secrets.value(then["DB"])


def test_an_immutable_secret_keeps_its_version_whatever_its_labels(safe: Safe) -> None:
    safe.put(immutable=True, url="one")
    then = safe.secrets.versions({"DB": "kubernetes:db/url"})
    safe.admin.merge(SECRET, "db", {"metadata": {"labels": {"team": "flowers"}}})

    assert safe.secrets.versions({"DB": "kubernetes:db/url"}) == then
    assert safe.secrets.value(then["DB"]) == b"one"


def test_one_that_became_immutable_later_proves_nothing_about_before(safe: Safe) -> None:
    safe.put(url="one")
    then = safe.secrets.versions({"DB": "kubernetes:db/url"})
    safe.admin.merge(SECRET, "db", {"data": {"url": base64.b64encode(b"two").decode()}, "immutable": True})

    with pytest.raises(NotFound, match="was changed since"):
        safe.secrets.versions(then)


def test_one_of_the_same_name_that_was_made_anew_is_another_one(safe: Safe) -> None:
    safe.put(immutable=True, url="one")
    then = safe.secrets.versions({"DB": "kubernetes:db/url"})
    safe.admin.delete(SECRET, "db")
    safe.put(immutable=True, url="two")

    with pytest.raises(NotFound, match="was made anew since"):
        safe.secrets.versions(then)
    assert "made anew" in gone(safe.admin.find(SECRET, "db"), then["DB"])
    assert "is gone" in gone(None, then["DB"])


def test_what_is_not_there_is_named(safe: Safe) -> None:
    safe.put(url="one", user="me")

    with pytest.raises(NotFound, match='"nobody" not found'):
        safe.secrets.versions({"DB": "kubernetes:nobody/url"})
    with pytest.raises(NotFound, match=r"Secret db has no pasword \(it has url, user\)"):
        safe.secrets.versions({"DB": "kubernetes:db/pasword"})
    with pytest.raises(Invalid, match="kubernetes:SECRET/KEY"):
        safe.secrets.versions({"DB": "kubernetes:db"})


def test_get_on_the_named_secret_is_all_that_it_takes(kube_rig: KubeRig, kube_namespace: str) -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]}
    safe = Safe(kube_rig, kube_namespace, kubeconfig=kube_rig.kubeconfig_for(kube_namespace, [rule]))
    safe.put(url="one")
    safe.put("other", url="two")

    assert safe.secrets.value("kubernetes:db/url") == b"one"
    with pytest.raises(Denied, match='cannot get resource "secrets"'):
        safe.secrets.value("kubernetes:other/url")
