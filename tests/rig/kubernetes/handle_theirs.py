"""A cluster that the rig did not start: kind, k3s, a cloud's. Its gate runs as long as the session."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from tests.rig.kubernetes import certificates, kubeconfigs
from tests.rig.kubernetes.gate.hands import GateHands

_ROOT = Path(__file__).parents[3]


class TheirCluster:
    """What any cluster can: requests, through a gate too. The rest skips the test."""

    def __init__(self, config: dict[str, Any], folder: Path, gate: dict[str, str]) -> None:
        self.gate_hands = GateHands(gate["hands"])
        self._admin = _written(folder / "theirs.kubeconfig", config)
        self._reach = (config["clusters"][0]["cluster"]["server"], folder / "theirs.crt")
        self._gate_reach = (gate["server"], folder / "gate-tls" / "ca.crt")
        through = json.loads(json.dumps(config))
        through["clusters"][0]["cluster"] = _cluster(*self._gate_reach)
        user = through["users"][0]["user"]
        for key in ("client-certificate", "client-certificate-data", "client-key", "client-key-data"):
            user.pop(key, None)  # the gate shows it in the client's place
        self._gate_admin = _written(folder / "theirs-gate.kubeconfig", through)

    def admin(self, *, gate: bool) -> Path:
        return self._gate_admin if gate else self._admin

    def reach(self, *, gate: bool) -> tuple[str, Path]:
        return self._gate_reach if gate else self._reach

    def own(self, what: str) -> NoReturn:
        """Skips, in CI as well: nothing is missing that could be there. Who names a cluster wants what any can do."""
        pytest.skip(f"a cluster that is not the rig's cannot {what}")


@contextmanager
def their_cluster(kubeconfig: Path, context: str | None, folder: Path) -> Iterator[TheirCluster]:
    """With a gate before it that ends with the block."""
    config = alone(yaml.safe_load(kubeconfig.read_text()), context, kubeconfig.parent)
    (folder / "theirs.crt").write_bytes(
        base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    )
    certificates.make(folder / "gate-tls")
    with subprocess.Popen(
        [*_gate(config, folder)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                pytest.fail("the gate before the cluster did not start")
            yield TheirCluster(config, folder, json.loads(line))
        finally:
            process.terminate()


def alone(config: dict[str, Any], context: str | None, folder: Path) -> dict[str, Any]:
    """One context as a kubeconfig of its own, named "rig", with its files inside.

    Paths in a kubeconfig are relative to it. Raises pytest's failure when there is no such context.
    """
    wanted = context or config.get("current-context")
    found = next((one["context"] for one in config.get("contexts") or () if one["name"] == wanted), None)
    if found is None:
        pytest.fail(f"no context {wanted!r} in the kubeconfig that was given for the tests")
    cluster = _inside(_named(config, "clusters", "cluster", found["cluster"]), folder)
    user = _inside(_named(config, "users", "user", found["user"]), folder)
    if "certificate-authority-data" not in cluster:
        pytest.fail(f"the cluster of context {wanted!r} names no authority: the gate needs one to trust it")
    name = kubeconfigs.CONTEXT
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    }


def _named(config: dict[str, Any], kind: str, key: str, name: str) -> dict[str, Any]:
    return dict(next(one[key] for one in config[kind] if one["name"] == name))


def _inside(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Files become data."""
    for key in ("certificate-authority", "client-certificate", "client-key"):
        if key in entry:
            content = (folder / str(entry.pop(key))).read_bytes()
            entry[f"{key}-data"] = base64.b64encode(content).decode()
    if "tokenFile" in entry:
        entry["token"] = (folder / str(entry.pop("tokenFile"))).read_text().strip()
    return entry


def _gate(config: dict[str, Any], folder: Path) -> Iterator[str]:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    yield from (sys.executable, "-m", "tests.rig.kubernetes.gate", "--state", str(folder / "gate"))
    yield from ("--upstream", cluster["server"], "--upstream-ca", str(folder / "theirs.crt"))
    yield from ("--cert", str(folder / "gate-tls" / "gate.crt"), "--key", str(folder / "gate-tls" / "gate.key"))
    if "client-certificate-data" in user:
        for option, key in (("cert", "client-certificate-data"), ("key", "client-key-data")):
            file = folder / f"theirs-client.{option}"
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode(user[key]))
            yield from (f"--upstream-{option}", str(file))


def _cluster(server: str, authority: Path) -> dict[str, str]:
    return {"server": server, "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode()}


def _written(file: Path, config: dict[str, Any]) -> Path:
    file.touch(mode=0o600)
    file.write_text(json.dumps(config, indent=1))
    return file
