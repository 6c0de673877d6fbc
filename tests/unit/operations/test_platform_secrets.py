"""Secrets that only the platform has: hidden once they were read, and needed by every start of a revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shipper.errors import ConfigError, NotFound, ShipperError
from shipper.model import Deployment, Event, Release, Restorable
from shipper.operations.ledgers import ledger_of
from shipper.operations.telling import Telling
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline import StageReporter
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.rollout.known import known
from shipper.rollout.way_back import way_back
from shipper.targets import Target, TargetContext
from tests.unit.operations.imaginary import Collecting, Laptop, MemoryKind
from tests.unit.vault import Vault

pytestmark = pytest.mark.unit

SECRETS = {"run": {"secrets": {"DB": "secret-manager:db", "KEY": "env:SHOP_KEY"}}}


class Pinning(Collecting):
    """A target with secrets of its own, which its revisions read again at every start, and with a log."""

    vault: Vault

    def secret_versions(self, references: Mapping[str, str]) -> Mapping[str, str]:
        found = self.vault.secret_versions(references)
        self.memory.secrets |= {pinned: self.vault.versions[int(pinned[1][3:]) - 1] or b"" for pinned in found.items()}
        return found

    def secret_value(self, reference: str) -> bytes:
        return self.vault.secret_value(reference)

    def restorable(self, release: Release) -> Restorable:
        wanted = [version for version in release.secret_versions.values() if version.startswith("db/")]
        gone = [version for version in wanted if self.vault.versions[int(version[3:]) - 1] is None]
        found = super().restorable(release)
        return found.model_copy(update={"problems": tuple(f"{one} is destroyed" for one in gone)}) if gone else found

    def logs(self, revision: Any, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        yield "password platform-value-1 rejected, key local-value-1"


class PinningKind(MemoryKind):
    def __init__(self) -> None:
        super().__init__()
        self.vault = Vault()

    def connect(self, context: TargetContext) -> Target:
        connected = super().connect(context)
        assert isinstance(connected, Collecting)
        target = Pinning(connected.memory, context.secrets)
        target.vault = self.vault
        return target


@pytest.fixture
def vault(laptop: Laptop, monkeypatch: pytest.MonkeyPatch) -> Vault:
    laptop.kind = kind = PinningKind()
    monkeypatch.setenv("SHOP_KEY", "local-value-1")
    laptop.configure(SECRETS)
    return kind.vault


def told_after(workspace: Workspace, *, trial: bool) -> str:
    """A line of the rollout's that quotes the value, as a sink gets it."""
    got: list[Event] = []

    class Sink:
        def __call__(self, event: Event) -> None:
            got.append(event)

        def close(self) -> None: ...

    telling = Telling([Sink()])
    with telling.events:
        telling.begin("release", workspace)
        workspace.connect()
        if trial:
            workspace.secrets.trial()
        StageReporter(telling.events, "rollout").log("password platform-value-1 rejected")
    return str(got[-1])


def test_a_value_that_the_smoke_test_has_read_is_hidden_in_every_stage(laptop: Laptop, vault: Vault) -> None:
    workspace = open_workspace(Where(directory=laptop.project))
    assert "platform-value-1" in told_after(workspace, trial=False), "nobody has read it: nobody can hide it"
    shown = told_after(open_workspace(Where(directory=laptop.project)), trial=True)
    assert "password *** rejected" in shown
    assert "platform-value-1" not in shown


def test_logs_hide_what_can_be_read(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    ended = laptop.run("logs", cwd=laptop.project)
    assert ended.code == 0, ended
    assert ended.out == "password *** rejected, key ***\n"


def test_logs_of_a_release_that_failed_say_where_its_last_lines_are(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    failed = laptop.release("two", SECRETS, image="crash-loop")
    assert isinstance(failed, ShipperError)
    ended = laptop.run("logs", "2", cwd=laptop.project)
    assert ended.code == 2, ended
    assert "release #2 failed (crashed), and its revision is not here: run " in ended.err
    assert "its last lines are in the log of its run" in ended.err


def test_logs_never_fail_for_what_cannot_be_read(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    vault.readable = False
    ended = laptop.run("logs", cwd=laptop.project)
    assert ended.code == 0, ended
    assert ended.out == "password platform-value-1 rejected, key ***\n"


def test_a_revision_that_runs_is_no_way_back_once_its_secret_is_gone(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    vault.versions.append(b"platform-value-2")
    assert isinstance(laptop.release("two", SECRETS), Deployment)
    assert [held.stopped for held in laptop.memory.held.values()] == [False, False]
    vault.versions[0] = None
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 23, ended
    assert "db/1 is destroyed" in ended.finished["message"]
    assert laptop.answer() == "two"


def test_with_its_secret_it_is_warm_as_ever(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    vault.versions.append(b"platform-value-2")
    assert isinstance(laptop.release("two", SECRETS), Deployment)
    revisions = set(laptop.memory.held)
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 0, ended
    assert laptop.answer() == "one"
    assert set(laptop.memory.held) == revisions


def test_the_way_back_is_not_called_ready_when_its_secret_is_gone(laptop: Laptop, vault: Vault) -> None:
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    vault.versions.append(b"platform-value-2")
    assert isinstance(laptop.release("two", SECRETS), Deployment)
    assert "ready -> #1" in way_back_of(laptop)
    vault.versions[0] = None
    assert way_back_of(laptop) == "not possible: #1 cannot come back: db/1 is destroyed"


def way_back_of(laptop: Laptop) -> str:
    workspace = open_workspace(Where(directory=laptop.project))
    target = workspace.connect()
    observation = target.observe()
    found = known(target, ledger_of(workspace), Remarks(), observation=observation)
    return way_back(target, found, observation, WallClock().now())


def versions_of_the_newest(laptop: Laptop) -> dict[str, str]:
    return max(laptop.memory.records.values(), key=lambda record: record.number).secret_versions


def test_a_release_has_the_version_that_was_tried_out_although_a_newer_one_came_in_between(
    laptop: Laptop, vault: Vault
) -> None:
    def tried_out(workspace: Workspace) -> None:
        workspace.connect()
        values = {one.name: one.reveal() for one in workspace.secrets.trial()}
        assert values == {"DB": b"platform-value-1", "KEY": b"local-value-1"}
        vault.rotate()

    assert isinstance(laptop.release("one", SECRETS, before=tried_out), Deployment)
    assert versions_of_the_newest(laptop)["DB"] == "db/1"
    assert isinstance(laptop.release("one", SECRETS), Deployment)
    assert versions_of_the_newest(laptop)["DB"] == "db/2", "the next run asks what the reference means by then"


def test_a_version_that_was_tried_out_and_is_gone_is_not_released(laptop: Laptop, vault: Vault) -> None:
    def tried_out(workspace: Workspace) -> None:
        workspace.connect()
        workspace.secrets.trial()
        vault.rotate()
        vault.destroy(1)

    refused = laptop.release("one", SECRETS, before=tried_out)
    assert isinstance(refused, ConfigError)
    assert "version 1 of the secret db is destroyed (it was there when this run began)" in refused.message
    assert "release again" in refused.hint
    assert (laptop.memory.held, laptop.memory.records) == ({}, {}), "nothing was written"


def test_what_the_platform_does_not_find_is_23_and_not_a_platform_that_does_not_answer(
    laptop: Laptop, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two"):
        assert isinstance(laptop.release(text, SECRETS), Deployment)

    def not_found(*_: Any) -> Restorable:
        raise NotFound("there is no secret db")

    monkeypatch.setattr(Pinning, "restorable", not_found)
    ended = laptop.run("rollback", "--service", "shop", "--json")
    assert ended.code == 23, ended
    assert "#1 cannot come back: there is no secret db" in ended.finished["message"]
    assert laptop.answer() == "two"
