"""A cluster that the rig did not start: the same handle, with a gate of its own. Here the rig's, seen as theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.rig.kubernetes import asking
from tests.rig.kubernetes.handle import THEIRS, KubeRig
from tests.rig.kubernetes.handle import kube_rig as handle_of
from tests.rig.kubernetes.handle_theirs import alone

CONFIG = {
    "current-context": "one",
    "clusters": [{"name": "east", "cluster": {"server": "https://east.example", "certificate-authority": "ca.crt"}}],
    "users": [
        {"name": "ann", "user": {"client-certificate": "ann.crt", "client-key": "ann.key"}},
        {"name": "bob", "user": {"tokenFile": "bob.token"}},
    ],
    "contexts": [
        {"name": "one", "context": {"cluster": "east", "user": "ann"}},
        {"name": "two", "context": {"cluster": "east", "user": "bob"}},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ca.crt", "ann.crt", "ann.key", "bob.token"):
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


@pytest.fixture
def theirs(kube_rig: KubeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeRig]:
    """A handle on the rig's cluster that only knows its kubeconfig."""
    monkeypatch.setenv(THEIRS, str(kube_rig.kubeconfig()))
    with handle_of(tmp_path) as rig:
        yield rig


@pytest.mark.unit
def test_one_context_becomes_a_kubeconfig_of_its_own(folder: Path) -> None:
    found = alone(CONFIG, None, folder)
    assert found["current-context"] == "rig"
    assert found["clusters"][0]["cluster"] == {
        "server": "https://east.example",
        "certificate-authority-data": "Y2EuY3J0Cg==",
    }
    assert set(found["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert alone(CONFIG, "two", folder)["users"][0]["user"] == {"token": "bob.token"}


@pytest.mark.unit
def test_a_context_that_is_not_there_fails_and_names_it(folder: Path) -> None:
    with pytest.raises(Failed, match="no context 'three'"):
        alone(CONFIG, "three", folder)


@pytest.mark.integration
def test_namespaces_accounts_and_gate_are_there_too(theirs: KubeRig) -> None:
    namespace = theirs.namespace()
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}]
    file = theirs.kubeconfig_for(namespace, rules, gate=True)
    there = f"/api/v1/namespaces/{namespace}/configmaps"
    theirs.gate.fail(namespace, 503, verb="create")
    said = [asking.request(asking.client_of(file), "POST", there, {"metadata": {"name": "one"}})[0] for _ in range(2)]
    assert said == [503, 201]
    assert [write.status for write in theirs.gate.writes(namespace)] == [503, 201]
    assert asking.done(theirs.api(gate=True), "GET", f"{there}/one")["metadata"]["name"] == "one"
    assert json.loads(theirs.kubeconfig().read_text())["current-context"] == "rig"


@pytest.mark.integration
def test_what_only_the_rigs_own_cluster_can_do_skips_with_the_reason(theirs: KubeRig) -> None:
    with pytest.raises(Skipped, match="cannot restart its API server"):
        theirs.restart_apiserver()
    with pytest.raises(Skipped, match="cannot script nodes"):
        _ = theirs.nodes
    with pytest.raises(Skipped, match="SHIPPER_TEST_KUBE_EDGE"):
        _ = theirs.edge_url
