"""To the rig's API server and not: credentials, certificates, plugins, and servers that are not there."""

from __future__ import annotations

import json
import socket
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipper.targets import Denied, Transient
from shipper_targets.kubernetes.api import Api, Gone
from shipper_targets.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, POD, SECRET
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def reader(kube_rig: KubeRig, kube_namespace: str) -> Path:
    """A kubeconfig of somebody who may read ConfigMaps, with a token."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    return kube_rig.kubeconfig_for(kube_namespace, rules)


def changed(file: Path, to: Path, *, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Path:
    """The same kubeconfig with another user, or another cluster."""
    config = yaml.safe_load(file.read_text())
    if user is not None:
        config["users"][0]["user"] = user
    config["clusters"][0]["cluster"] = {**config["clusters"][0]["cluster"], **(cluster or {})}
    to.write_text(yaml.safe_dump(config))
    return to


def token_of(file: Path) -> str:
    return str(yaml.safe_load(file.read_text())["users"][0]["user"]["token"])


def api(file: Path, namespace: str) -> Api:
    context = yaml.safe_load(file.read_text())["contexts"][0]["name"]
    own = {"context": context, "kubeconfig": str(file), "namespace": namespace}
    return Api(KubernetesSettings.model_validate(own))


def test_what_one_may_not_do_is_denied_with_the_api_servers_words(reader: Path, kube_namespace: str) -> None:
    there = api(reader, kube_namespace)
    assert [one["metadata"]["name"] for one in there.list(CONFIG_MAP).items] == ["kube-root-ca.crt"]
    with pytest.raises(Denied, match='cannot list resource "secrets"'):
        there.list(SECRET)


def test_a_token_that_is_not_accepted(reader: Path, kube_namespace: str, tmp_path: Path) -> None:
    bad = changed(reader, tmp_path / "bad", user={"token": "nonsense"})
    with pytest.raises(Denied, match=r"log in again.*not accepted"):
        api(bad, kube_namespace).list(CONFIG_MAP)


def test_a_plugin_is_asked_again_when_its_token_is_refused(reader: Path, kube_namespace: str, tmp_path: Path) -> None:
    """The first token is an old one: the second comes from asking again, once."""
    plugin = tmp_path / "get-token"
    asked = tmp_path / "asked"
    good = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": token_of(reader)}})
    old = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "old"}})
    plugin.write_text(f"#!/bin/sh\nif [ -e {asked} ]; then echo '{good}'; else touch {asked}; echo '{old}'; fi\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    file = changed(reader, tmp_path / "config", user={"exec": {"apiVersion": V1, "command": "./get-token"}})
    assert api(file, kube_namespace).list(CONFIG_MAP).items
    plugin.write_text(f"#!/bin/sh\necho '{old}'\n")
    with pytest.raises(Denied, match="not accepted"):
        api(file, kube_namespace).list(CONFIG_MAP)


def test_a_certificate_that_ended_is_said_with_its_day(reader: Path, kube_namespace: str, tmp_path: Path) -> None:
    certificate, key = expired(tmp_path)
    file = changed(reader, tmp_path / "config", user={"client-certificate": certificate, "client-key": key})
    with pytest.raises(Denied, match="expired on 2020-01-02"):
        api(file, kube_namespace).list(CONFIG_MAP)


def test_a_server_whose_certificate_is_somebody_elses(reader: Path, kube_namespace: str, tmp_path: Path) -> None:
    certificate, _ = expired(tmp_path)
    file = changed(reader, tmp_path / "config", cluster={"certificate-authority": certificate})
    content = yaml.safe_load(file.read_text())
    content["clusters"][0]["cluster"].pop("certificate-authority-data", None)
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(Denied, match="is not to be trusted"):
        api(file, kube_namespace).list(CONFIG_MAP)


def test_a_server_that_is_not_there_is_transient(
    reader: Path, kube_namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment is not for this machine itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    file = changed(reader, tmp_path / "config", cluster={"server": f"https://127.0.0.1:{port}"})
    with pytest.raises(Transient, match=f"127.0.0.1:{port} does not answer"):
        api(file, kube_namespace).request("GET", "/version", timeout=2.0)
    assert api(reader, kube_namespace).list(CONFIG_MAP).items


def test_a_server_that_says_nothing_ends_with_the_deadline(reader: Path, kube_namespace: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"https://127.0.0.1:{silent.getsockname()[1]}"
        file = changed(reader, tmp_path / "config", cluster={"server": server})
        with pytest.raises(Transient, match="does not answer"):
            api(file, kube_namespace).request("GET", "/version", timeout=0.5)


def test_a_watch_says_what_happens_and_can_be_ended_from_elsewhere(kube_rig: KubeRig, kube_namespace: str) -> None:
    there = api(kube_rig.kubeconfig(), kube_namespace)
    watch = there.watch(CONFIG_MAP, version=there.list(CONFIG_MAP).version)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    there.create(CONFIG_MAP, body)
    kind, item = next(watch)
    assert (kind, item["metadata"]["name"]) == ("ADDED", "new")
    threading.Timer(0.2, watch.close).start()
    assert list(watch) == []


def test_a_watch_from_too_long_ago_is_gone(kube_rig: KubeRig, kube_namespace: str) -> None:
    there = api(kube_rig.kubeconfig(gate=True), kube_namespace)
    watch = there.watch(POD, version=there.list(POD).version)
    kube_rig.watch_gone(kube_namespace)
    with pytest.raises(Gone):
        next(watch)


def test_lists_longer_than_a_page_are_whole(
    kube_rig: KubeRig, kube_namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipper_targets.kubernetes.api._PAGE", 2)
    there = api(kube_rig.kubeconfig(), kube_namespace)
    for number in range(5):
        there.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}"}})
    names = [one["metadata"]["name"] for one in there.list(CONFIG_MAP).items]
    assert names == ["c0", "c1", "c2", "c3", "c4", "kube-root-ca.crt"]
    assert all("data" not in one for one in there.list_metadata(CONFIG_MAP).items)


def test_what_is_not_there_is_none_and_an_unknown_kind_is_said(kube_rig: KubeRig, kube_namespace: str) -> None:
    there = api(kube_rig.kubeconfig(), kube_namespace)
    assert there.find(DEPLOYMENT, "nothing") is None
    assert there.kind_of("events.k8s.io/v1", "Event").plural == "events"
    assert there.knows(DEPLOYMENT)
    assert there.version.startswith("v1.")


def expired(folder: Path) -> tuple[str, str]:
    """Files of a certificate that ended on 2020-01-02, and of its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    end = datetime(2020, 1, 2, 12, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(end - timedelta(days=9)).not_valid_after(end)
    certificate = made.sign(key, hashes.SHA256())
    files = folder / "client.crt", folder / "client.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return str(files[0]), str(files[1])
