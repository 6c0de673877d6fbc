"""The kind's entry point: URLs, and which shape a strategy connects to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Settings
from shipper.targets import (
    AsksInside,
    Collects,
    Diagnoses,
    GivesBack,
    PinsSecrets,
    Probes,
    Replaces,
    RunsOnce,
    SplitsTraffic,
    StreamsLogs,
    TargetContext,
    UsageError,
)
from shipper.targets.protocol import Finishes, Renders
from shipper_targets.kubernetes import kind

pytestmark = pytest.mark.unit


def connected(strategy: str | None, **own: Any) -> Any:
    service = {"service": "shop", "environment": "production", "root": "/srv/shop"}
    settings = Settings.model_validate({"service": service, "rollout": {"strategy": strategy}})
    place = {"context": "c", "namespace": "shop", **own}
    return kind.connect(TargetContext("kube", settings, place, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", [None, "rolling", "recreate"])
def test_one_deployment_is_replaced(strategy: str | None) -> None:
    target = connected(strategy)
    assert isinstance(target, Replaces)
    assert isinstance(target, Finishes)
    assert not isinstance(target, SplitsTraffic)
    assert target.traits.strategies == ("rolling", "recreate")
    assert target.traits.keeps_revisions


@pytest.mark.parametrize("strategy", ["all-at-once", "blue-green", "canary"])
def test_a_deployment_for_each_release(strategy: str) -> None:
    target = connected(strategy, gateway={"name": "edge", "hosts": ["shop.example.com"]})
    assert isinstance(target, SplitsTraffic)
    assert not isinstance(target, Replaces)
    assert target.traits.strategies == ("all-at-once", "blue-green", "canary")
    assert not target.traits.keeps_revisions
    assert "canary" not in connected(strategy).traits.strategies


@pytest.mark.parametrize("strategy", ["rolling", "blue-green"])
def test_both_have_these_powers(strategy: str) -> None:
    target = connected(strategy)
    for power in (AsksInside, Collects, Diagnoses, GivesBack, PinsSecrets, Probes, Renders, RunsOnce, StreamsLogs):
        assert isinstance(target, power), power


def test_without_a_context_connecting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="no context is configured"):
        connected("rolling", context=None)


def test_urls() -> None:
    assert kind.from_url("kubernetes://prod-eu/models") == {"context": "prod-eu", "namespace": "models"}
    assert kind.from_url("kubernetes://arn%3Aaws%3Aeks%2Fone/models")["context"] == "arn:aws:eks/one"
    assert kind.from_url("kubernetes:///models") == {"in_cluster": True, "namespace": "models"}
    assert kind.from_url("kubernetes://c/models?name=shop")["name"] == "shop"
    assert kind.from_url("kubernetes://c/models?tmp_size=1GiB")["tmp_size"] == 1 << 30
    for wrong in ("kubernetes://c", "kubernetes://c/a/b", "docker://c/a", "kubernetes://c/models?colour=red"):
        with pytest.raises(UsageError):
            kind.from_url(wrong)


def test_neither_the_kind_nor_connecting_imports_the_client() -> None:
    code = (
        "import sys; from shipper_targets.kubernetes import kind; kind.settings_model; "
        "import shipper_targets.kubernetes.rolling, shipper_targets.kubernetes.weighted; "
        "print([name for name in ('kubernetes', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrong_url_is_told_what_says_which_place_is_meant_and_no_more() -> None:
    with pytest.raises(UsageError, match="it has no setting adress") as refused:
        kind.from_url("kubernetes://c/models?adress=http://10.0.0.7")
    wanted = "name, address, reach, kubeconfig, in_cluster"
    assert refused.value.hint == f"use kubernetes://context/namespace, then ?name=value for {wanted}"
