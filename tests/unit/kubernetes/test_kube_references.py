"""What a pod cannot start without, and what a namespace's Pod Security level does not let it do."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.manifest import Manifest, rendered
from shipper_targets.kubernetes.pod_security import level_of, violations
from shipper_targets.kubernetes.referenced import Reference, made_by_others, reference_problems, references_in
from shipper_targets.kubernetes.render import render
from tests.unit.kubernetes.kube_rendering import UID, own, release_of, settings_of

pytestmark = pytest.mark.unit


def pod_spec(target: dict[str, Any] | None = None, pinned: dict[str, str] | None = None, **run: Any) -> dict[str, Any]:
    whole = render(release_of(settings_of(run=run), secrets=pinned), own(**(target or {})), "rolling")
    spec: dict[str, Any] = whole.main.copied()["spec"]["template"]["spec"]
    return spec


def test_everything_that_a_generated_pod_refers_to() -> None:
    spec = pod_spec(
        {"image_pull_secrets": ["robot"], "service_account": "keeper"},
        {"DB": f"kubernetes:db/url@{UID}.7"},
        secrets={"DB": "kubernetes:db/url"},
        volumes=[{"source": "pvc:models/v1", "target": "/models"}, {"source": "configmap:labels", "target": "/labels"}],
    )

    assert {(one.kind, one.name, one.key) for one in references_in(spec)} >= {
        ("Secret", "robot", ""),
        ("Secret", "db", "url"),
        ("ServiceAccount", "keeper", ""),
        ("PersistentVolumeClaim", "models", ""),
        ("ConfigMap", "labels", ""),
    }


def test_secrets_as_variables_are_found_too() -> None:
    spec = pod_spec(
        None, {"DB": f"kubernetes:db/url@{UID}.7"}, secrets={"DB": "kubernetes:db/url"}, secrets_as="environment"
    )

    assert Reference("Secret", "db", "url", "run.secrets") in references_in(spec)


def test_what_is_optional_may_be_missing() -> None:
    spec = {
        "volumes": [
            {"name": "a", "secret": {"secretName": "s", "optional": True}},
            {"name": "b", "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "p"}}]}},
        ],
        "containers": [{"envFrom": [{"secretRef": {"name": "e", "optional": True}}, {"configMapRef": {"name": "f"}}]}],
    }

    assert {one.name for one in references_in(spec)} == {"c", "p", "f"}


def test_what_we_generate_meets_the_strictest_level() -> None:
    assert list(violations("restricted", pod_spec())) == []


@pytest.mark.parametrize(
    ("security", "level", "key"),
    [
        ({"run_as_root": True}, "restricted", "targets.security.run_as_root"),
        ({"run_as_root": True}, "baseline", None),
        ({"capabilities": ["NET_BIND_SERVICE"]}, "restricted", None),
        ({"capabilities": ["CHOWN"]}, "restricted", "targets.security.capabilities"),
        ({"capabilities": ["CHOWN"]}, "baseline", None),
        ({"capabilities": ["SYS_ADMIN"]}, "baseline", "targets.security.capabilities"),
        ({"seccomp": "Unconfined"}, "baseline", "targets.security.seccomp"),
        ({"seccomp": "Unconfined"}, "privileged", None),
        ({"writable_root": True}, "restricted", None),
    ],
)
def test_what_a_level_does_not_allow(security: dict[str, Any], level: str, key: str | None) -> None:
    found = [name for name, _ in violations(level, pod_spec({"security": security}))]

    assert found == ([] if key is None else [key])


def test_own_manifests_may_break_more() -> None:
    spec = {
        "hostNetwork": True,
        "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        "containers": [{"name": "m", "securityContext": {"privileged": True}}],
    }
    words = " ".join(what for _, what in violations("restricted", spec))

    for expected in ("hostNetwork", "hostPath", "privileged", "as root", "allowPrivilegeEscalation", "seccomp"):
        assert expected in words


def test_a_namespace_without_a_level_allows_everything() -> None:
    assert level_of({"metadata": {}}) == "privileged"
    assert level_of({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}) == "baseline"


class Empty:
    """A namespace in which nothing is."""

    namespace = "shops"

    def find(self, *_: Any) -> None:
        return None


_SPEC = {"containers": [{"name": "a", "envFrom": [{"secretRef": {"name": "db"}}]}]}
USER = Manifest(
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": {"template": {"spec": _SPEC}}}
)
BROUGHT = Manifest({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}})
EXTERNAL = Manifest({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "db"}})
CERTIFICATE = Manifest(
    {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web"},
        "spec": {"dnsNames": ["shop.example.com"], "secretName": "db"},
    }
)
MONITOR = Manifest(
    {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": {"name": "web"}, "spec": {}}
)
ROLE = Manifest({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}})


def missing(*more: Manifest, own_manifests: bool = True) -> tuple[list[tuple[str, str]], list[str]]:
    """(key, message) of the problems, and what is remarked."""
    told = list[str]()
    found = reference_problems(
        Empty(),  # type: ignore[arg-type]
        rendered([USER, *more], USER.key),
        own=own_manifests,
        remark=told.append,
    )
    return [(one.key, one.message) for one in found], told


@pytest.mark.parametrize(
    ("maker", "names"), [(EXTERNAL, {"db"}), (CERTIFICATE, {"db"}), (MONITOR, set()), (ROLE, set())]
)
def test_what_an_operator_makes_of_the_set_may_come_later(maker: Manifest, names: set[str]) -> None:
    assert made_by_others(rendered([USER, maker], USER.key)) == names
    assert made_by_others(rendered([USER, maker, BROUGHT], USER.key)) == set()


def test_what_another_object_of_the_set_may_make_is_not_missing_before_the_first_release() -> None:
    words = "there is no Secret db in namespace shops"
    assert missing(EXTERNAL) == ([], [f"{words}; ExternalSecret/db may make it"])
    assert missing(CERTIFICATE) == ([], [f"{words}; Certificate/web may make it"])
    assert missing(MONITOR) == ([("targets.manifests", words)], [])
    assert missing(ROLE) == ([("targets.manifests", words)], [])
    assert missing() == ([("targets.manifests", words)], [])
    assert missing(own_manifests=False) == ([("run.secrets", words)], [])
