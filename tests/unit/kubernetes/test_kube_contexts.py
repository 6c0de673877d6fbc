"""Which cluster is meant: kubeconfig files as kubectl reads them, and credential plugins that fail in every way."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipper.targets import Denied, UsageError
from shipper_targets.kubernetes import credentials
from shipper_targets.kubernetes.contexts import contexts, minimal, require_context
from shipper_targets.kubernetes.credentials import ask_plugin
from shipper_targets.kubernetes.settings import KubernetesSettings

pytestmark = pytest.mark.unit

V1 = "client.authentication.k8s.io/v1"


def own(**more: Any) -> KubernetesSettings:
    return KubernetesSettings.model_validate({"namespace": "shop", **more})


def write(path: Path, *names: str, server: str = "https://a.example.com", **cluster: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
        "clusters": [{"name": name, "cluster": {"server": server, **cluster}} for name in names],
        "users": [{"name": name, "user": {"token": f"token of {name}"}} for name in names],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_configured_context_is_used_whatever_the_current_one_is(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "current", "wanted")
    found = minimal(own(kubeconfig=str(file), context="wanted"))
    assert found["current-context"] == "wanted"
    assert [one["name"] for one in found["clusters"]] == ["wanted"]
    assert found["users"][0]["user"] == {"token": "token of wanted"}


def test_without_a_context_nothing_is_guessed_and_all_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "staging", "production")
    with pytest.raises(UsageError, match="no context is configured") as caught:
        require_context(own(kubeconfig=str(file)))
    assert caught.value.exit_code == 2
    assert "there are: production, staging" in caught.value.hint


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "staging")
    with pytest.raises(UsageError, match="there is no context prod") as caught:
        minimal(own(kubeconfig=str(file), context="prod"))
    assert "there are: staging" in caught.value.hint


def test_in_a_cluster_none_is_needed() -> None:
    require_context(own(in_cluster=True))


def test_of_several_files_the_first_that_has_a_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "a" / "config", "both", server="https://first.example.com")
    second = write(tmp_path / "b" / "config", "both", "other", server="https://second.example.com")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{first}:{second}")
    assert contexts(own()) == ["both", "other"]
    assert minimal(own(context="both"))["clusters"][0]["cluster"]["server"] == "https://first.example.com"
    assert minimal(own(context="other"))["clusters"][0]["cluster"]["server"] == "https://second.example.com"


def test_paths_are_relative_to_the_file_that_they_are_in(tmp_path: Path) -> None:
    file = write(tmp_path / "deep" / "config", "one", **{"certificate-authority": "pki/ca.crt"})
    cluster = minimal(own(kubeconfig=str(file), context="one"))["clusters"][0]["cluster"]
    assert cluster["certificate-authority"] == str(tmp_path / "deep" / "pki" / "ca.crt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("- a list", "is not a mapping"),
        ("contexts: [{context: {}}]", "must have entries with name"),
        ("contexts: [{name: one, context: {cluster: gone}}]", "there is no cluster 'gone'"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(Denied, match=words):
        minimal(own(kubeconfig=str(file), context="one"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Denied, match="cannot be read"):
        minimal(own(kubeconfig=str(tmp_path / "missing"), context="one"))


def plugin(tmp_path: Path, script: str, **more: Any) -> dict[str, Any]:
    path = tmp_path / "get-token"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": V1, "command": str(path), **more}


def said(**status: Any) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def test_a_plugin_gives_a_token_and_when_it_ends(tmp_path: Path) -> None:
    answer = said(token="abc", expirationTimestamp="2030-01-02T03:04:05Z")
    found = ask_plugin(plugin(tmp_path, f"echo '{answer}'"), {}, "one")
    assert (found.token, found.expires) == ("abc", 1893553445.0)


def test_a_plugin_gets_its_environment_arguments_and_the_cluster(tmp_path: Path) -> None:
    script = (
        'printf \'{"apiVersion":"%s","status":{"token":"%s %s"}}\' "$V" "$1" "$NAME"\n'
        'echo "$KUBERNETES_EXEC_INFO" >"$0.info"'
    )
    entry = plugin(
        tmp_path,
        script,
        args=["argument"],
        env=[{"name": "NAME", "value": "value"}, {"name": "V", "value": V1}],
        provideClusterInfo=True,
    )
    assert ask_plugin(entry, {"server": "https://a.example.com"}, "one").token == "argument value"
    info = json.loads((tmp_path / "get-token.info").read_text())
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://a.example.com"}}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'please log in' >&2; exit 3", "ended with status 3: please log in"),
        ("echo no json", "did not answer with an ExecCredential"),
        (f"echo '{said()}'", "neither a token nor a certificate"),
        (f"echo '{said(clientCertificateData='pem')}'", "neither a token nor a certificate"),
        ('echo \'{"apiVersion": "other/v9", "status": {"token": "t"}}\'', "answered with apiVersion other/v9"),
    ],
)
def test_a_plugin_that_gives_nothing_usable_is_denied_with_its_name(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(Denied, match=words) as caught:
        ask_plugin(plugin(tmp_path, script), {}, "one")
    assert "get-token" in str(caught.value)


def test_a_plugin_that_is_not_installed_is_denied_with_its_own_advice() -> None:
    entry = {"apiVersion": V1, "command": "no-such-plugin-anywhere", "installHint": "install the cloud's command line"}
    with pytest.raises(Denied, match=r"no-such-plugin-anywhere is not installed \(install the cloud's command line\)"):
        ask_plugin(entry, {}, "one")


def test_a_plugin_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "DEADLINE", 0.3)
    with pytest.raises(Denied, match="gave no credentials"):
        ask_plugin(plugin(tmp_path, "exec sleep 60"), {}, "one")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "wants apiVersion"),
        ({"interactiveMode": "Always"}, "has to ask somebody"),
    ],
)
def test_a_plugin_that_cannot_be_served(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(Denied, match=words):
        ask_plugin({**plugin(tmp_path, "exit 0"), **more}, {}, "one")
