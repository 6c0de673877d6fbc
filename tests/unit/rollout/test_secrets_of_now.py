"""Where a secret has one value at a time, what comes back has those of now, and everything else as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from shipper.errors import ConfigError, RollbackImpossible
from shipper.model import Deployment, Observation, Release, Restorable, Settings, Wanted
from shipper.rollout.way_back import way_back
from shipper.stages.select import select
from shipper.targets.conformance.memory_splits import TRAITS, SplittingTarget
from tests.unit.rollout.test_going_back_again import Killed, killed_after
from tests.unit.rollout.world import Told, World, splitting_world

pytestmark = pytest.mark.unit

REFERENCES = {"PASSWORD": "kubernetes:db/password"}


class Cluster:
    """One Secret in the namespace."""

    def __init__(self) -> None:
        self.touched = 1

    @property
    def version(self) -> str:
        return f"kubernetes:db/password@uid.{self.touched}"


class InPlace(SplittingTarget):
    """Names what is there, and cannot go back to what was there."""

    cluster: Cluster

    def secret_versions(self, references: Mapping[str, str]) -> Mapping[str, str]:
        found = dict.fromkeys(references, self.cluster.version)
        self.memory.secrets |= dict.fromkeys(found.items(), b"value")
        return found

    def secret_value(self, reference: str) -> bytes:
        return b"value"

    def restorable(self, release: Release) -> Restorable:
        gone = [one for one in release.secret_versions.values() if one != self.cluster.version]
        found = super().restorable(release)
        return found.model_copy(update={"problems": ("was changed since; pass --secrets current",)}) if gone else found


class Rendering(SplittingTarget):
    """Has manifests of the project's own, which are not on this machine."""

    def content(self, settings: Settings) -> str:
        raise ConfigError('manifests "deploy/": no such file')

    def render(self, release: Release) -> Sequence[tuple[str, str]]:
        return ()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def rotating(world: World, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> World:
    """#1 and #2 were released, and since then the Secret was touched."""
    monkeypatch.setattr(InPlace, "cluster", cluster, raising=False)
    traits = TRAITS.model_copy(update={"secrets_change_in_place": True})
    world.place.connect = lambda memory, secrets: InPlace(memory, secrets, traits)
    world.sets(run={"secrets": REFERENCES, "env": {"MODE": "then"}})
    world.release("one")
    world.sets(run={"secrets": REFERENCES, "env": {"MODE": "now"}})
    world.release("two")
    cluster.touched += 1
    return world


def told(world: World) -> str:
    found: Observation = world.observation
    return way_back(world.target(), world.known, found, world.clock.now())


def test_it_is_known_by_its_content_as_the_release_that_comes_back(rotating: World, cluster: Cluster) -> None:
    """An adapter finds the record of then by it: fingerprints differ, as the secret's version is part of them."""
    assert rotating.rollback().number == 3
    then, other, back = sorted(rotating.memory.records.values(), key=lambda record: record.number)
    assert back.secret_versions == {"PASSWORD": cluster.version} != then.secret_versions
    assert back.fingerprint != then.fingerprint
    assert back.brings_back(then)
    assert not back.brings_back(other)
    assert not then.brings_back(then), "it is no rollback"
    assert back.settings.run.env == {"MODE": "then"}


def test_more_instances_than_then_make_no_other_content_of_it(rotating: World) -> None:
    rotating.rollback()
    then, *_, back = sorted(rotating.memory.records.values(), key=lambda record: record.number)
    scaled = back.settings.scale.model_copy(update={"min": 7})
    more = back.model_copy(update={"settings": back.settings.model_copy(update={"scale": scaled})})
    assert more.brings_back(then)
    assert not back.model_copy(update={"content": "other manifests"}).brings_back(then)
    image = {"main": rotating.place.image("good", "three")}
    assert not back.model_copy(update={"images": image}).brings_back(then)


def test_the_last_line_says_ready_and_it_is(rotating: World) -> None:
    assert told(rotating).startswith("ready -> #1")
    assert "warm" not in told(rotating), "its pods have the value of then: they are started anew"
    assert rotating.rollback().verdict.ok
    assert rotating.serves == {"one": 100}


def test_where_values_of_then_were_asked_for_the_last_line_says_that_they_are_gone(
    rotating: World, cluster: Cluster
) -> None:
    rotating.sets(rollback={"secrets": "pinned"})
    rotating.release("three")
    rotating.release("four")
    cluster.touched += 1
    assert told(rotating) == "not possible: #3 cannot come back: was changed since; pass --secrets current"


@pytest.fixture
def only_the_secret(rotating: World, cluster: Cluster) -> World:
    """#3 is #2 with the Secret of now: nothing else differs."""
    rotating.release("two")
    return rotating


def went_back(world: World, to: str | None = None, **more: Any) -> Deployment:
    deployable = select(Wanted(to=to, **more), world.settings, world.target(), world.ledger, Told(), world.clock)
    return world.roll_out(deployable, "rollback")


def test_what_would_come_back_as_what_serves_is_no_way_back(only_the_secret: World) -> None:
    assert told(only_the_secret).startswith("ready -> #1")
    assert only_the_secret.rollback().rollback_to == 1
    assert only_the_secret.serves == {"one": 100}


def test_asked_for_by_number_nothing_is_written_and_nothing_quarantined(only_the_secret: World) -> None:
    before = only_the_secret.observation.seen
    with pytest.raises(RollbackImpossible) as caught:
        only_the_secret.rollback("#2")
    assert caught.value.message == (
        "#2 would bring nothing back: only secret values differ from what serves, and those of then are gone"
    )
    assert (only_the_secret.observation.seen, only_the_secret.known.quarantined) == (before, ())
    assert only_the_secret.rollback("#1").rollback_to == 1


def test_asked_for_with_the_values_of_now_it_serves_already(only_the_secret: World) -> None:
    done = went_back(only_the_secret, "#2", secrets="current")
    assert (done.changed, done.number) == (False, 3)
    assert only_the_secret.known.quarantined == ()


def test_what_comes_back_is_never_quarantined(rotating: World, cluster: Cluster) -> None:
    """In a canary of nothing but a secret its release comes back with the value of now, as the canary has it."""
    rotating.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5}, run={"secrets": REFERENCES})
    rotating.release("three")
    cluster.touched += 1
    rotating.around = killed_after("shift")
    with pytest.raises(Killed):
        rotating.release("three")
    assert went_back(rotating).rollback_to == 3
    assert rotating.serves == {"three": 100}
    assert rotating.known.quarantined == ()


def test_values_that_are_kept_can_be_asked_for() -> None:
    world = splitting_world()
    world.sets(run={"secrets": {"TOKEN": "env:TOKEN"}}, rollback={"secrets": "current"})
    for value in ("old", "new"):
        world.secrets = {"TOKEN": value}
        world.release("one")
    assert told(world).startswith("not possible: there is no earlier")
    with pytest.raises(RollbackImpossible, match="--secrets pinned: those of then"):
        went_back(world, "#1")
    assert went_back(world, secrets="pinned").rollback_to == 1


def test_untouched_it_is_warm() -> None:
    world = splitting_world()
    world.release("one")
    world.release("two")
    assert told(world).endswith("about 3 s, warm")


def test_to_what_was_here_before_shipper_nothing_of_the_projects_is_read() -> None:
    world = splitting_world()
    world.place.adopt("theirs")  # type: ignore[attr-defined]
    world.release("one")
    memory = world.memory
    world.place.connect = lambda _, secrets: Rendering(memory, secrets)
    assert world.rollback("#0").rollback_to == 0
    assert world.serves == {"theirs": 100}
