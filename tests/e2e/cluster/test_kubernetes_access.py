"""Who may: credentials that are not accepted, Roles with exactly what a command needs and one verb less, and objects
that a GitOps tool owns. All are told before a build, and nothing is written.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shipper_targets.kubernetes.permissions import Need, Uses, needs, required, rules
from tests.e2e.cluster.conftest import Cluster
from tests.e2e.cluster.tiny_cluster import KubePlaces, TinyCluster
from tests.e2e.projects import QUICK, write_service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

USES = Uses(ingress=True, account=True, variables=True)
RELEASE, ROLLBACK = required(needs("release", USES)), required(needs("rollback", USES))
_PATIENCE = 60.0


def as_(place: TinyCluster, kubeconfig: Path) -> TinyCluster:
    """The same place, for somebody who comes in this way."""
    return replace(place, cluster=replace(place.cluster, kubeconfig=kubeconfig))


def allowed(place: TinyCluster, given: tuple[Need, ...], without: tuple[str, str] | None = None) -> TinyCluster:
    """For somebody who may do exactly this, but for one verb on one resource."""
    less = [one.rule([verb for verb in one.verbs if (one.resource, verb) != without]) for one in given if not one.wide]
    wide = rules(given, wide=True)
    cluster = place.cluster
    kubeconfig = cluster.hands.kubeconfig_for(cluster.namespace, [rule for rule in less if rule["verbs"]], wide)
    return as_(place, kubeconfig)


def is_accepted(kubeconfig: Path, namespace: str) -> bool:
    """Whether the API server knows who this is; a cluster remembers for some seconds whom it knew."""
    asked = subprocess.run(
        ["kubectl", "--namespace", namespace, "get", "pods"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "Unauthorized" not in asked.stderr


@pytest.fixture
def serving(kube_places: KubePlaces) -> Iterator[TinyCluster]:
    """Something serves, and after the test it still does: nothing was written by who may not."""
    place = kube_places.kept("rolling")
    text = place.served()
    yield place
    assert place.text() == text


def refused(place: TinyCluster) -> tuple[int, str]:
    """A release of the next text: how it ended, and that it wrote nothing."""
    served = place.text()
    generations = [one["metadata"]["generation"] for one in place.objects("deployments")]
    place.write(place.next_text())
    ended = place.run(*place.release_words)
    assert "rollout" not in {name for name, status in ended.stages().items() if status == "done"}, ended
    assert [one["metadata"]["generation"] for one in place.objects("deployments")] == generations
    assert place.text() == served
    return ended.code, ended.said


# Credentials.


def test_a_token_that_is_none_of_this_cluster_is_32(serving: TinyCluster, tmp_path: Path) -> None:
    cluster = serving.cluster
    known = json.loads(cluster.hands.kubeconfig_for(cluster.namespace, rules(RELEASE)).read_text())
    known["users"][0]["user"]["token"] += "x"
    broken = tmp_path / "broken.kubeconfig"
    broken.write_text(json.dumps(known))
    code, said = refused(as_(serving, broken))
    assert code == 32, said
    assert "Unauthorized" in said, said


def test_a_token_that_has_ended_is_32_and_a_rollback_too(serving: TinyCluster) -> None:
    """Its account was deleted: the server answers as to an expired one, whose least life is ten minutes."""
    cluster = serving.cluster
    kubeconfig = cluster.hands.kubeconfig_for(cluster.namespace, rules(RELEASE))
    path = f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts/{kubeconfig.stem}"
    status, told = cluster.hands.request("DELETE", path)
    assert status == 200, told
    deadline = time.monotonic() + _PATIENCE
    while is_accepted(kubeconfig, cluster.namespace):
        assert time.monotonic() < deadline, "the server still takes it"
        time.sleep(0.2)
    nobody = as_(serving, kubeconfig)
    code, said = refused(nobody)
    assert code == 32, said
    assert "Unauthorized" in said, said
    back = nobody.run(*nobody.rollback_words)
    assert back.code == 32, back


# Roles.


def test_its_role_is_enough_for_a_release_and_another_for_a_rollback(kube_places: KubePlaces) -> None:
    place = kube_places.fresh("rolling")
    first = place.served()
    text = place.next_text()
    place.write(text)
    ended = allowed(place, RELEASE).run(*place.release_words)
    assert ended.code == 0, ended
    assert place.text() == text
    back = allowed(place, ROLLBACK).run(*place.rollback_words)
    assert back.code == 0, back
    assert place.text() == first


_PAIRS = [(one.resource, verb) for one in RELEASE if not one.wide for verb in one.verbs]


@pytest.mark.sample(2)
@pytest.mark.parametrize(("resource", "verb"), _PAIRS, ids=[f"{verb}-{resource}" for resource, verb in _PAIRS])
def test_one_verb_less_is_32_before_the_build_and_names_it(serving: TinyCluster, resource: str, verb: str) -> None:
    code, said = refused(allowed(serving, RELEASE, (resource, verb)))
    assert code == 32, said
    assert f"permission to {verb} {resource}" in said, said


@pytest.mark.sample(1)
@pytest.mark.parametrize("missing", [("deployments", "patch"), ("deployments", "get"), ("secrets", "list")], ids=str)
def test_a_rollback_with_one_verb_less_is_32_names_it_and_what_serves_stays(
    kube_places: KubePlaces, missing: tuple[str, str]
) -> None:
    place = kube_places.kept("rolling")
    place.served()
    text = place.next_text()
    assert place.release(text).code == 0
    ended = allowed(place, ROLLBACK, missing).run(*place.rollback_words)
    assert ended.code == 32, ended
    assert missing[0] in ended.said, ended
    assert missing[1] in ended.said, ended
    assert place.text() == text


# GitOps.

TOOLS = {
    "Argo CD": ("label", "argocd.argoproj.io/instance=shop"),
    "Argo CD, by annotation": ("annotate", "argocd.argoproj.io/tracking-id=shop:apps/Deployment:web/shop-dev"),
    "Flux": ("label", "kustomize.toolkit.fluxcd.io/name=shop"),
    "Config Sync": ("annotate", "configmanagement.gke.io/managed=enabled"),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_gitops_tool_owns_is_refused_with_what_to_do_instead(
    cluster: Cluster, tmp_path: Path, tool: str
) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=cluster.settings(**QUICK))
    assert cluster.release(folder).code == 0
    verb, mark = TOOLS[tool]
    cluster.kubectl(verb, "deployment/shop-dev", mark)
    before: Any = json.loads(cluster.kubectl("get", "deployment", "shop-dev", "-o", "json"))
    write_service(folder, version="2", settings=cluster.settings(**QUICK))
    ended = cluster.release(folder)
    assert ended.code == 2, ended
    assert f"managed by {tool.partition(',')[0]}" in ended.said, ended
    assert "shipper render" in ended.said, ended
    assert "build" not in ended.stages()
    after: Any = json.loads(cluster.kubectl("get", "deployment", "shop-dev", "-o", "json"))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert cluster.ask().json["version"] == "1"
