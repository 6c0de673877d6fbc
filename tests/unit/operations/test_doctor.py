"""doctor: every check runs, whatever another one found."""

from __future__ import annotations

import socket

import pytest

from shipper.errors import UsageError
from shipper.model import Problem
from tests.unit.operations.imaginary import Collecting, Laptop

pytestmark = pytest.mark.unit

PORT = Problem(code=2, key="service_port", message="duplicate value")


@pytest.fixture
def bare(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> Laptop:
    """A laptop without a scanner and an engine."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    return laptop


def found(laptop: Laptop, *words: str) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["state"], one["found"]) for one in laptop.run("doctor", *words, "--json").shown["checks"]}


def test_a_service_is_looked_at_without_its_repository(bare: Laptop) -> None:
    bare.release("one", {"image": {"repository": "registry.example.com/shop"}})
    checks = found(bare, "--service", "shop")
    assert checks["configuration"][0] == "ok", checks
    assert checks["target here"][0] == "ok", checks
    assert "up to #1" in checks["ledger"][1]


def test_a_target_that_cannot_even_be_connected_is_one_failed_check(
    bare: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object) -> None:
        raise UsageError('the docker context "nope" does not exist', hint="docker context ls")

    monkeypatch.setattr(Collecting, "preflight", nowhere)
    checks = found(bare, "-C", str(bare.project))
    assert checks["target here"] == ("failed", 'the docker context "nope" does not exist')
    assert {"engine", "scanner", "ledger"} <= set(checks)


def test_a_change_by_hand_that_a_rehearsal_runs_into_is_told_as_that(
    bare: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.release("one", {"image": {"repository": "registry.example.com/shop"}})
    bare.kind.around = lambda name, call: (PORT,) if name == "preflight" else call()
    monkeypatch.setattr("shipper.stages.preflight.SECOND_LOOK", 0.0)
    assert "duplicate value" in found(bare, "-C", str(bare.project))["target here"][1]
    bare.memory.drifted = "shop-1"
    bare.memory.version += 1

    state, said = found(bare, "-C", str(bare.project))["target here"]

    assert state == "failed"
    assert said.startswith("somebody changed by hand what shipper owns on this target; run.memory: ")
    assert "as it is now, here could not take this release: service_port: duplicate value" in said


def test_the_ledger_that_is_asked_for_is_the_one_that_is_looked_at(bare: Laptop) -> None:
    state, said = found(bare, "-C", str(bare.project), "--ledger", "ftp://nonsense")["ledger"]
    assert state == "failed"
    assert "ftp" in said


def test_a_builder_elsewhere_that_does_not_answer_is_one_failed_check(bare: Laptop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    with (bare.project / "shipper.toml").open("a") as file:
        file.write(f'\n[image]\nbuilder = "remote"\nremote = {{ address = "{address}" }}\n')

    checks = found(bare, "-C", str(bare.project))

    assert checks["builder"] == ("failed", f"the builder at {address} cannot be reached: connection refused")
    assert {"engine", "scanner", "ledger"} <= set(checks)


def test_the_engine_that_builds_itself_is_looked_at_once(bare: Laptop) -> None:
    assert "builder" not in found(bare, "-C", str(bare.project))


def test_secrets_of_the_platform_are_not_said_to_be_none(bare: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(bare, "-C", str(bare.project))["secrets"] == ("ok", "none configured")
    monkeypatch.setenv("SHOP_KEY", "k")
    bare.configure({"run": {"secrets": {"DB": "secret-manager:db", "KEY": "env:SHOP_KEY"}}})
    said = "1 resolved, 1 of the platform's own, which the target looks at"
    assert found(bare, "-C", str(bare.project))["secrets"] == ("ok", said)
