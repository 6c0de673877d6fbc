"""The suite is worth something: targets that are wrong in one way each do not pass it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shipper.model import (
    Observation,
    ProbeRequest,
    ProbeResponse,
    Progress,
    Release,
    Revision,
    Settings,
    Stamp,
    Traffic,
    new_release_id,
)
from shipper.targets import Retired
from shipper.targets.conformance import Scenario, SplittingRig, changed, suite
from shipper.targets.conformance.memory import FOREIGN, Held
from shipper.targets.conformance.memory_splits import SplittingTarget

pytestmark = pytest.mark.conformance


class IgnoresSeen(SplittingTarget):
    def _writing(self, stamp: Stamp, seen: str) -> Any:
        return super()._writing(stamp, str(self.memory.version))


class IgnoresEpochs(SplittingTarget):
    def _writing(self, stamp: Stamp, seen: str) -> Any:
        newest = max(stamp.epoch, self.memory.stamp.epoch)
        return super()._writing(stamp.model_copy(update={"epoch": newest}), seen)


class ServesWhatIsNew(SplittingTarget):
    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        made = super().create(release, stamp, seen)
        self.memory.set_weights({made.name: 100})
        return made


class RetiresWhatServes(SplittingTarget):
    def _refuse_traffic(self, name: str) -> None:
        self.memory.weights.pop(name, None)


class ForgetsConfiguration(SplittingTarget):
    def records(self) -> Sequence[Release]:
        return [record.model_copy(update={"settings": without_environment(record.settings)}) for record in self._all()]

    def _all(self) -> Sequence[Release]:
        return super().records()


class ForgetsOldSecretValues(SplittingTarget):
    def _secret_values(self, release: Release) -> dict[str, bytes]:
        values = super()._secret_values(release)
        for held in self.memory.held.values():
            held.secrets = values
        return values


class BlocksWhileItWaits(SplittingTarget):
    def progress(self, revision: Revision) -> Iterator[Progress]:
        for step in super().progress(revision):
            time.sleep(1.2 if step.state == "waiting" else 0.0)
            yield step


class WaitsForTheHopeless(SplittingTarget):
    def _step(self, name: str) -> Progress:
        step = super()._step(name)
        return Progress(state="waiting", reason="restarting") if step.state == "failed" else step


class LeavesSecretsBehind(SplittingTarget):
    def remove(self, stamp: Stamp, seen: str) -> None:
        left = dict(self.memory.secrets)
        super().remove(stamp, seen)
        self.memory.secrets.update(left)


class CountsTwice(SplittingTarget):
    def measure(self) -> Mapping[str, Traffic]:
        return {
            name: found.model_copy(update={"requests": 2 * found.requests}) for name, found in super().measure().items()
        }


class StripsValues(SplittingTarget):
    def _hold(self, release: Release) -> Held:
        env = {name: value.strip() for name, value in release.settings.run.env.items()}
        held = super()._hold(release)
        held.release = release.model_copy(update={"settings": changed(release.settings, run={"env": env})})
        return held


class MakesTwoOfOne(SplittingTarget):
    def _held(self, release_id: str) -> Held | None:
        return None

    def _name(self, release: Release) -> str:
        return f"{super()._name(release)}-{new_release_id()[-6:]}"


class SeesNoDrift(SplittingTarget):
    def observe(self) -> Observation:
        return super().observe().model_copy(update={"drift": ()})


class KnowsNumbersFromTheStampAlone(SplittingTarget):
    def observe(self) -> Observation:
        return super().observe().model_copy(update={"highest": 0})


class SwapsShares(SplittingTarget):
    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        super().shift(dict(zip(weights, reversed(list(weights.values())), strict=True)), stamp, seen)


class RemovesWhatIsForeign(SplittingTarget):
    def _retire(self, name: str, to: Retired) -> None:
        super()._retire(name, to)
        if FOREIGN not in self.memory.weights:
            self.memory.held.pop(FOREIGN, None)


class ProbesWhateverServes(SplittingTarget):
    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        return self.ask(request)


class RaisesWhatTheSdkRaises(SplittingTarget):
    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        if release.main.config_digest not in self.memory.images:
            raise ConnectionError("404 no such image")
        return super().create(release, stamp, seen)


class CleansUpTheWayBack(SplittingTarget):
    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Any:
        return super().garbage((), images)


def without_environment(settings: Settings) -> Settings:
    return changed(settings, run={"env": {}})


FOUND_BY = {
    IgnoresSeen: "an old view is refused",
    IgnoresEpochs: "an older epoch is refused",
    ServesWhatIsNew: "a new revision has no traffic",
    RetiresWhatServes: "what has traffic is not retired",
    ForgetsConfiguration: "revisions and records in their order",
    ForgetsOldSecretValues: "rollback",
    BlocksWhileItWaits: "progress never blocks",
    WaitsForTheHopeless: "crash loop",
    LeavesSecretsBehind: "removal leaves nothing",
    CountsTwice: "requests are counted exactly",
    StripsValues: "hostile environment",
    MakesTwoOfOne: "the same id is the same revision",
    SeesNoDrift: "drift stops a release",
    KnowsNumbersFromTheStampAlone: "ledger and stamp lost",
    SwapsShares: "canary",
    RemovesWhatIsForeign: "what is foreign is never removed",
    ProbesWhateverServes: "a revision without traffic answers",
    RaisesWhatTheSdkRaises: "missing image",
    CleansUpTheWayBack: "clean up leaves the way back",
}


@pytest.mark.parametrize(("wrong", "name"), FOUND_BY.items(), ids=lambda found: getattr(found, "__name__", ""))
def test_a_target_that_is_wrong_in_one_way_is_found(
    wrong: type[SplittingTarget], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipper.targets.conformance.scenarios.failures.PATIENT", 3.0)
    monkeypatch.setattr("shipper.targets.conformance.here.PATIENCE", 0.5)
    (scenario,) = (one for one in suite() if one.name == name)
    with pytest.raises((AssertionError, ConnectionError)):
        scenario.play(SplittingRig(make=wrong))
    scenario.play(SplittingRig())


def test_what_a_target_cannot_play_is_said() -> None:
    from shipper.targets.conformance import ReplacingRig, scenarios_for

    rig = ReplacingRig()
    chosen, skipped = scenarios_for(rig.traits, rig.powers)
    assert len(chosen) + len(skipped) == len(suite())
    reasons = {one.scenario.name: one.reason for one in skipped}
    assert reasons["canary"] == "has no SplitsTraffic"
    assert reasons["the first release over something foreign"] == "has no Adopts"


def test_every_scenario_says_what_it_shows() -> None:
    told: list[Scenario] = [one for one in suite() if not one.told.endswith(".")]
    assert told == []
    assert len({one.name for one in suite()}) == len(suite())
    assert replace(suite()[0], name="another") not in suite()
