"""What clean-up must leave: whatever happened here, what serves and the way back stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import RollbackImpossible
from shipper.model import (
    Change,
    ImageRef,
    Observation,
    Release,
    Revision,
    RunSettings,
    ServiceSettings,
    Settings,
    Stamp,
    Wanted,
)
from shipper.operations.differences import differences
from shipper.operations.kept import kept
from shipper.rollout.choose import choose
from shipper.rollout.known import Known, KnownRelease
from shipper.targets.changes import HIDDEN

pytestmark = pytest.mark.unit

CONTENTS = [f"sha256:{digit * 64}" for digit in "abcdef"]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Known, Observation]:
    """Releases of a few contents, verified or not, some quarantined; one of them serves."""
    contents = draw(st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=12))
    releases = tuple(
        KnownRelease(
            number=number,
            fingerprint=content,
            image=content,
            created=float(number),
            verified=draw(st.booleans()),
            outcome=draw(st.sampled_from([None, "verified", "failed"])),
        )
        for number, content in enumerate(contents, 1)
    )
    quarantined = tuple(release.short for release in releases if draw(st.integers(0, 3)) == 0)
    serving = draw(st.sampled_from(releases))
    revision = Revision(name="r", release="01J", number=serving.number, fingerprint=serving.fingerprint, weight=100)
    return Known(releases=releases, quarantined=quarantined, highest=len(releases)), Observation(
        seen="1", serving=(revision,), revisions=(revision,), stamp=Stamp(highest=len(releases))
    )


@given(worlds(), st.integers(1, 5))
def test_what_serves_and_what_a_rollback_would_go_to_always_stay(world: tuple[Known, Observation], count: int) -> None:
    known, observation = world
    numbers = kept(known, observation, count)
    assert observation.serving[0].number in numbers
    try:
        choice = choose(known, observation, Wanted(), now=100.0)
    except RollbackImpossible:
        return
    assert choice.release is not None
    assert choice.release.number in numbers
    assert choice.number in numbers


@given(worlds())
def test_a_larger_number_never_keeps_less(world: tuple[Known, Observation]) -> None:
    sizes = [set(kept(*world, count)) for count in (1, 2, 3)]
    assert sizes[0] <= sizes[1] <= sizes[2]


def release(env: dict[str, str], memory: int | None = None, secrets: dict[str, str] | None = None) -> Release:
    image = ImageRef(config_digest=CONTENTS[0], reference="web", platform="linux/amd64")
    return Release(
        id="01J",
        number=1,
        fingerprint=CONTENTS[1],
        images={"main": image},
        settings=Settings(service=ServiceSettings(service="web", root="/"), run=RunSettings(env=env, memory=memory)),
        target="here",
        secret_versions=secrets or {},
        created=1.0,
    )


def test_differences_are_named_leaf_by_leaf_and_secrets_are_not_shown() -> None:
    now = release({"LEVEL": "high", "API_KEY": "one", "NEW": "x"}, 512_000_000, {"TOKEN": "1" * 32})
    then = release({"LEVEL": "low", "API_KEY": "two"}, 256_000_000, {"TOKEN": "2" * 32})
    assert differences(now, then, then.secret_versions) == (
        Change(action="change", subject="run.env.API_KEY", before=HIDDEN, after=HIDDEN),
        Change(action="change", subject="run.env.LEVEL", before="high", after="low"),
        Change(action="remove", subject="run.env.NEW", before="x"),
        Change(action="change", subject="run.memory", before="512.0 MB", after="256.0 MB"),
        Change(action="change", subject="secret TOKEN", before="version 11111111", after="version 22222222"),
    )


def test_the_same_again_has_no_differences() -> None:
    assert differences(release({"A": "1"}), release({"A": "1"}), {}) == ()


def test_a_rollback_to_what_served_before_shipper_takes_no_place_among_the_ways_back() -> None:
    contents = (CONTENTS[0], CONTENTS[1], CONTENTS[2])
    releases = [
        KnownRelease(number=number, fingerprint=content, image=content, created=float(number), verified=True)
        for number, content in zip((1, 2, 4), contents, strict=True)
    ]
    gave_back = KnownRelease(
        number=3, fingerprint=CONTENTS[5], image="", created=3.0, verified=True, rollback_to=0, outcome="verified"
    )
    serving = Revision(name="r", release="01J", number=4, fingerprint=CONTENTS[2], weight=100)
    known = Known(releases=(*releases[:2], gave_back, releases[2]), highest=4)
    numbers = kept(known, Observation(seen="1", serving=(serving,), revisions=(serving,)), 1)
    assert 2 in numbers
