"""Pure parts: steps, shares, what traffic is put back to, stamps and their length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import UsageError
from shipper.model import Observation, Revision, RolloutSettings, ServiceSettings, Settings, Stamp, Traits, short
from shipper.rollout.ages import show_age
from shipper.rollout.stamps import LENGTH, QUARANTINED, with_quarantine, with_verified
from shipper.rollout.strategies import shared, stable_weights, steps_of, strategy_of

pytestmark = pytest.mark.unit


def settings(strategy: str | None) -> Settings:
    rollout = RolloutSettings.model_validate({"strategy": strategy})
    return Settings(service=ServiceSettings(service="web", root="/"), rollout=rollout)


def test_the_targets_first_strategy_is_the_default_but_never_recreate() -> None:
    assert strategy_of(settings(None), Traits(strategies=("recreate", "blue-green"))) == "blue-green"
    assert strategy_of(settings("recreate"), Traits(strategies=("blue-green", "recreate"))) == "recreate"


def test_what_a_target_cannot_do_is_refused_with_what_it_can() -> None:
    with pytest.raises(UsageError) as caught:
        strategy_of(settings("canary"), Traits(strategies=("all-at-once", "recreate")))
    assert "all-at-once, recreate" in caught.value.hint
    with pytest.raises(UsageError, match="no two revisions share its traffic"):
        strategy_of(settings("canary"), Traits(strategies=("all-at-once", "canary"), weight_step=None))


@given(st.lists(st.integers(1, 99), max_size=6), st.sampled_from([1, 2, 5, 10, 25, 50, 100]))
def test_steps_rise_are_multiples_and_never_less_than_asked(steps: list[int], step: int) -> None:
    found = steps_of(steps, step)
    assert list(found) == sorted(set(found))
    assert all(share % step == 0 and 0 < share < 100 for share in found)
    assert all(any(share >= asked for share in (*found, 100)) for asked in steps)


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.sampled_from([1, 5, 10, 25, 50]),
    st.integers(1, 99),
    st.integers(2, 6),
)
def test_shares_are_100_in_all_in_multiples_and_among_as_many_as_may(
    parts: list[int], step: int, share: int, sharing: int
) -> None:
    for rounded in steps_of([share], step):
        stable = {f"old-{at}": part for at, part in enumerate(parts)}
        weights = shared(stable, "new", rounded, step, sharing)
        assert weights["new"] == rounded
        assert sum(weights.values()) == 100
        assert all(weight > 0 and weight % step == 0 for weight in weights.values())
        assert len(weights) <= sharing


def found(number: int, weight: int, state: str = "running", ours: bool = True) -> Revision:
    fingerprint = f"sha256:{number:012x}{0:052x}" if ours else None
    release = f"id-{number}" if ours else None
    return Revision.model_validate(
        {"name": f"web-{number}", "release": release, "number": number, "fingerprint": fingerprint, "weight": weight,
         "state": state}
    )  # fmt: skip


def seen(*revisions: Revision) -> Observation:
    return Observation(seen="1", serving=tuple(one for one in revisions if one.weight), revisions=revisions)


@pytest.mark.parametrize(
    ("revisions", "verified", "stable"),
    [
        ((found(1, 100),), {1}, {"web-1": 100}),
        ((found(1, 90), found(2, 10)), {1}, {"web-1": 100}),
        ((found(1, 60), found(2, 30), found(3, 10)), {1, 2}, {"web-1": 67, "web-2": 33}),
        ((found(1, 0), found(2, 100)), {1}, {"web-1": 100}),
        ((found(1, 0, "stopped"), found(2, 100)), {1}, {"web-2": 100}),
        ((found(1, 50), found(2, 50)), set(), {"web-1": 50, "web-2": 50}),
        ((found(0, 100, ours=False),), set(), {"web-0": 100}),
        ((found(0, 0, "failed", ours=False), found(1, 100)), {1}, {"web-1": 100}),
        ((), {1}, {}),
    ],
)
def test_traffic_is_put_back_to_what_was_verified(
    revisions: tuple[Revision, ...], verified: set[int], stable: dict[str, int]
) -> None:
    assert stable_weights(seen(*revisions), verified, ()) == stable


def test_traffic_is_not_put_back_to_what_is_quarantined() -> None:
    before = seen(found(1, 0), found(2, 0), found(3, 100))
    assert stable_weights(before, {1, 2}, {short(found(2, 0).fingerprint or "")}) == {"web-1": 100}


@given(
    st.integers(0, 10**9),
    st.lists(st.integers(0, 10**6)),
    st.lists(st.text("0123456789abcdef", min_size=12, max_size=12)),
)
def test_a_stamp_stays_short_and_keeps_the_newest(epoch: int, numbers: list[int], bad: list[str]) -> None:
    stamp = Stamp(epoch=epoch, highest=max(numbers, default=0))
    for one in bad:
        stamp = with_quarantine(stamp, [one], [])
    for number in numbers:
        stamp = with_verified(stamp, number)
    assert len(stamp.model_dump_json()) < LENGTH
    assert len(stamp.quarantined) <= QUARANTINED
    assert stamp.verified[-1:] == tuple(numbers[-1:])
    assert stamp.quarantined[-1:] == tuple(bad[-1:])


def test_lifting_and_quarantining_again_moves_to_the_newest_end() -> None:
    stamp = with_quarantine(Stamp(quarantined=("a", "b")), ["a"], [])
    assert stamp.quarantined == ("b", "a")
    assert with_quarantine(stamp, [], ["b"]).quarantined == ("a",)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 3.5, "3 d")]
)
def test_ages_are_read_at_a_glance(seconds: float, shown: str) -> None:
    assert show_age(seconds) == shown
