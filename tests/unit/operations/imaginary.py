"""The command line, in this process, against an in-memory platform: what a user of a laptop sees, in milliseconds."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from shipper.cli.main import main
from shipper.errors import ShipperError
from shipper.model import Deployable, Deployment, Garbage, Stamp, Traits, new_release_id
from shipper.operations.ledgers import ledger_of
from shipper.operations.orders import order_of
from shipper.operations.places import Place, remember
from shipper.operations.reach import LOCATES, UNLESS_SAID
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.rollout.roll_out import roll_out
from shipper.targets import Target, TargetContext, discovery
from shipper.targets.conformance.memory import Memory
from shipper.targets.conformance.memory_splits import TRAITS, SplittingTarget
from shipper.targets.conformance.rig import ImageKind
from shipper.targets.conformance.watched import Around, watched
from tests.e2e.projects import merged, to_toml


class PlaceSettings(BaseModel):
    """`address` is how this machine gets there, and so is `door`, which others likely take too; `room` is the place's
    own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default="here", json_schema_extra={"reach": True})
    door: str = Field(default="front", json_schema_extra={"reach": UNLESS_SAID})
    room: str = Field(default="first", json_schema_extra={LOCATES: True})


@dataclass
class MemoryKind:
    """A kind of target that is installed for one test. Its platforms live as long as this object."""

    platforms: dict[tuple[str, str, str], Memory] = field(default_factory=dict)
    unreachable: bool = False
    around: Around | None = None
    """Goes around every call of the targets that are connected from now on."""
    kind = "memory"
    settings_model = PlaceSettings
    traits: Traits = TRAITS

    def from_url(self, url: str) -> dict[str, Any]:
        place, _, door = url.removeprefix("memory://").partition("?door=")
        return {**({"address": place} if place else {}), **({"door": door} if door else {})}

    def connect(self, context: TargetContext) -> Target:
        own, service = PlaceSettings.model_validate(dict(context.own)), context.settings.service
        key = (own.room, service.service, service.environment)
        memory = self.platforms.setdefault(key, Memory(service.service))
        target = Broken(memory, context.secrets) if self.unreachable else Collecting(memory, context.secrets)
        return watched(target, self.around) if self.around is not None else target


class Collecting(SplittingTarget):
    """Keeps records and images until somebody clears them away."""

    def garbage(self, keep: Sequence[int], images: Collection[str] = ()) -> Sequence[Garbage]:
        with self.memory.lock:
            return [
                Garbage(kind="record", name=record.id, why=f"#{record.number} is not kept", size=1000)
                for record in self.memory.records.values()
                if record.number not in keep and record.main.config_digest not in images
            ]

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        with self._writing(stamp, seen):
            for one in garbage:
                record = self.memory.records.pop(one.name)
                if all(other.main != record.main for other in self.memory.records.values()):
                    self.memory.images.pop(record.main.config_digest, None)
                for held in [held for held in self.memory.held.values() if held.release == record]:
                    self._refuse_traffic(held.name)
                    del self.memory.held[held.name]
        return tuple(garbage)


class Broken(SplittingTarget):
    """Does not answer."""

    def observe(self) -> Any:
        from shipper.errors import Transient

        raise Transient("connection refused")

    def records(self) -> Any:
        return self.observe()


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def finished(self) -> dict[str, Any]:
        """The last event of `--json`."""
        last: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        assert last["event"] == "run-finished", self
        return last

    @property
    def shown(self) -> dict[str, Any]:
        """The one object of `--json`."""
        value: dict[str, Any] = json.loads(self.out)
        return value


class Laptop:
    """A user's machine: a home, a project, an empty directory, and the imaginary kind of target."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.project, self.empty = folder / "home", folder / "project", folder / "empty"
        for made in (self.home, self.project, self.empty):
            made.mkdir()
        self.kind = MemoryKind()
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in ("STATE", "DATA", "CACHE", "CONFIG"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(self.home / name.lower()))
        for name in ("SHIPPER_LEDGER", "CI"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(discovery, "kinds", lambda: ["docker", "memory"])
        monkeypatch.setattr(discovery, "load", lambda _: self.kind)
        self.configure()

    def configure(self, settings: Mapping[str, Any] | None = None) -> None:
        """Write the project's shipper.toml."""
        base = {"service": "shop", "targets": {"here": {"kind": "memory", "room": "first"}}}
        base |= {"health": {"startup": "300ms", "timeout": "1s"}}
        (self.project / "shipper.toml").write_text(to_toml(merged(base, settings or {})))

    @property
    def memory(self) -> Memory:
        """The platform that the project is released to."""
        return self.kind.platforms[("first", "shop", "dev")]

    def release(
        self,
        text: str,
        settings: Mapping[str, Any] | None = None,
        image: ImageKind = "good",
        before: Callable[[Workspace], object] = lambda workspace: None,
    ) -> Deployment | ShipperError:
        """Release an image that answers with `text`, and remember the place as `shipper release` does.

        `before`: what happens in the stages before the rollout.
        """
        self.configure(settings)
        workspace = open_workspace(Where(directory=self.project))
        try:
            before(workspace)
            return self._roll_out(workspace, text, image)
        except ShipperError as error:
            return error
        finally:
            known = Place(target=workspace.chosen, ledger=ledger_of(workspace).url, at=WallClock().now())
            remember("shop", "dev", known, {"XDG_DATA_HOME": str(self.home / "data")})

    def _roll_out(self, workspace: Workspace, text: str, image: ImageKind) -> Deployment:
        target = workspace.connect()
        assert isinstance(target, SplittingTarget)
        deployable = Deployable(
            images={"main": target.memory.image(image, text)}, settings=workspace.settings, published=False
        )
        order = order_of(new_release_id(), "release")
        return roll_out(
            deployable,
            order,
            workspace.chosen,
            target,
            ledger_of(workspace),
            workspace.secrets,
            Remarks(),
            RunCancellation(),
            WallClock(),
        )

    def run(self, *words: str, cwd: Path | None = None) -> Ended:
        """`shipper …` from an empty directory."""
        self._monkeypatch.chdir(cwd or self.empty)
        self._monkeypatch.setattr(sys, "argv", ["shipper", *words])
        self._capsys.readouterr()
        code = main()
        said = self._capsys.readouterr()
        return Ended(code, said.out, said.err)

    def answer(self) -> str:
        """What a user of the service gets."""
        return self.memory.ask("/").body.decode()

    def lose_ledger(self) -> None:
        """The directory is gone."""
        shutil.rmtree(self.home / "state" / "shipper" / "ledger")

    def break_ledger(self) -> None:
        """It is there, and nobody can read or write it: a file stands where its directory should be."""
        self.lose_ledger()
        (self.home / "state" / "shipper" / "ledger").write_text("not a directory")

    def lose_stamp(self) -> None:
        """The mark on the platform is gone."""
        self.memory.stamp = Stamp()
        self.memory.version += 1

    def forget_places(self) -> None:
        """Another laptop: nothing is remembered, the ledger is not there."""
        shutil.rmtree(self.home / "data")
