"""What a rollback goes back to, and why not to the others: a pure choice."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import RollbackImpossible, UsageError
from shipper.model import Observation, Revision, Wanted, short
from shipper.rollout.choose import Choice, choose
from shipper.rollout.known import Known, KnownRelease

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
HOUR = 3600.0


def hashed(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def made(number: int, text: str, outcome: Any = "verified", **more: Any) -> KnownRelease:
    """Released `100 - number` hours ago; texts are contents: the same text is the same fingerprint."""
    created = NOW - (100 - number) * HOUR
    values = {"image": hashed(f"image {text}"), "finished": created + 10, "outcome": outcome, **more}
    verified = values.pop("verified", outcome == "verified")
    return KnownRelease(number=number, fingerprint=hashed(text), created=created, verified=verified, **values)


def revision(number: int, text: str, weight: int = 0, state: Any = "running") -> Revision:
    return Revision(
        name=f"web-{number}",
        release=f"id-{number}",
        number=number,
        fingerprint=hashed(text),
        image=hashed(f"image {text}"),
        weight=weight,
        state=state,
    )


def seen(*revisions: Revision) -> Observation:
    return Observation(seen="1", serving=tuple(one for one in revisions if one.weight), revisions=revisions)


def chosen(known: Known, observation: Observation, to: str | None = None, **wanted: Any) -> Choice:
    return choose(known, observation, Wanted(to=to, **wanted), NOW)


def refused(known: Known, observation: Observation, to: str | None = None) -> RollbackImpossible:
    with pytest.raises(RollbackImpossible) as caught:
        chosen(known, observation, to)
    assert caught.value.exit_code == 23
    return caught.value


# By itself.


def test_the_newest_verified_one_that_is_something_else() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "c")))
    choice = chosen(known, seen(revision(2, "b"), revision(3, "c", 100)))
    assert (choice.number, choice.revision, choice.warm) == (2, revision(2, "b"), True)
    assert choice.quarantine == (short(hashed("c")),)
    assert choice.age == 98 * HOUR
    assert choice.healthy_for == HOUR


def test_failed_releases_and_the_same_content_again_are_passed_over() -> None:
    failed = [made(number, f"failed {number}", "failed", cause="crashed") for number in range(3, 8)]
    known = Known((made(1, "a"), made(2, "b"), *failed, made(8, "b")))
    assert chosen(known, seen(revision(8, "b", 100))).number == 1


def test_in_the_middle_of_a_canary_the_canary_is_left_behind() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "c", "started")))
    choice = chosen(known, seen(revision(2, "b", 90), revision(3, "c", 10)))
    assert (choice.number, choice.serves_already) == (2, False)
    assert choice.quarantine == (short(hashed("c")),)


def test_what_is_quarantined_by_fingerprint_or_by_image_is_passed_over() -> None:
    releases = (made(1, "a"), made(2, "b"), made(3, "c"), made(4, "d"))
    known = Known(releases, quarantined=(short(hashed("c")), short(hashed("image b"))))
    assert chosen(known, seen(revision(4, "d", 100))).number == 1


def test_the_image_is_quarantined_too_when_that_is_wanted() -> None:
    bad = hashed("image bad")
    releases = (made(1, "a"), made(2, "b", image=bad), made(3, "c", image=bad))
    choice = choose(
        Known(releases),
        seen(revision(3, "c", 100).model_copy(update={"image": bad})),
        Wanted(quarantine_image=True),
        NOW,
    )
    assert choice.number == 1
    assert choice.quarantine == (short(hashed("c")), short(bad))


def test_a_stopped_revision_is_found_and_a_failed_one_is_not() -> None:
    known = Known((made(1, "a"), made(2, "b")))
    stopped = chosen(known, seen(revision(1, "a", state="stopped"), revision(2, "b", 100)))
    assert (stopped.revision, stopped.warm) == (revision(1, "a", state="stopped"), False)
    assert chosen(known, seen(revision(1, "a", state="failed"), revision(2, "b", 100))).revision is None


def test_a_rollback_names_what_it_first_was() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "a", rollback_to=1), made(4, "c")))
    choice = chosen(known, seen(revision(1, "a"), revision(4, "c", 100)))
    assert (choice.number, choice.release) == (1, known[3])
    assert choice.revision == revision(1, "a")


def test_a_rollback_whose_run_died_after_moving_traffic_is_taken_up_again() -> None:
    releases = (made(1, "a"), made(2, "b"), made(3, "c"), made(4, "b", "started", rollback_to=2))
    known = Known(releases, quarantined=(short(hashed("c")),), unrecorded_quarantine=(short(hashed("c")),))
    choice = chosen(known, seen(revision(2, "b", 100), revision(3, "c")))
    assert (choice.number, choice.serves_already, choice.quarantine) == (2, True, (short(hashed("c")),))


def test_nothing_earlier_says_why_each_was_passed_over() -> None:
    releases = (made(1, "a"), made(2, "b", "failed", cause="crashed"), made(3, "c"))
    error = refused(Known(releases, quarantined=(short(hashed("a")),)), seen(revision(3, "c", 100)))
    assert error.message == "there is no earlier verified release to go back to but what is quarantined (#1)"
    assert error.details == (
        "#3: it is what serves",
        "#2: it was never verified here: failed (crashed)",
        "#1: it is quarantined (--to #1 brings it back all the same)",
    )


def test_what_is_under_way_without_traffic_is_not_said_to_serve() -> None:
    """A first release that could not be put back."""
    left = seen(revision(1, "a")).model_copy(update={"in_flight": "rollout to generation 1"})
    error = refused(Known((made(1, "a", "not-put-back", verified=False),)), left)
    assert error.details == ("#1: it is under way, and has no traffic",)


def putting_back(number: int, *revisions: Revision) -> Observation:
    """What failed has stopped, and the platform still moves to the release of this number."""
    found = [one.model_copy(update={"state": "starting"}) if one.number == number else one for one in revisions]
    return seen(*found).model_copy(update={"in_flight": "rollout to generation 7"})


def test_while_what_serves_is_put_back_the_way_back_is_not_that_one() -> None:
    """A release that ended 22: its operation was ended, and the pods of before are still being counted."""
    known = Known((made(1, "a"), made(2, "b"), made(3, "c", "not-put-back", verified=False)), verified=(1, 2))
    old = (revision(1, "a", state="stopped"), revision(3, "c", state="stopped"))
    choice = chosen(known, putting_back(2, revision(2, "b", 100), *old))
    assert (choice.number, choice.quarantine) == (1, (short(hashed("b")),))


def test_what_failed_and_still_has_traffic_is_left_behind_while_what_served_is_put_back() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "c", "not-put-back", verified=False)), verified=(1, 2))
    there = (revision(1, "a", state="stopped"), revision(2, "b", 50), revision(3, "c", 50))
    assert chosen(known, putting_back(2, *there)).number == 2


def test_where_nothing_serves_what_is_being_put_back_comes_first() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "c", "not-put-back", verified=False)), verified=(1, 2))
    there = (revision(1, "a", state="stopped"), revision(2, "b"), revision(3, "c", state="stopped"))
    assert chosen(known, putting_back(2, *there)).number == 2


def test_a_rollback_that_failed_is_not_what_its_content_comes_back_as() -> None:
    """Of two revisions that have to be started alike, the one that was verified."""
    known = Known((made(1, "a"), made(2, "b"), made(3, "a", "not-put-back", rollback_to=1)), verified=(1, 2))
    stopped = [revision(number, "a", state="stopped") for number in (1, 3)]
    assert chosen(known, seen(*stopped, revision(2, "b", 100))).revision == stopped[0]
    runs = revision(3, "a")
    assert chosen(known, seen(stopped[0], runs, revision(2, "b", 100))).revision == runs


def test_nothing_at_all_and_both_sides_lost_are_told_apart() -> None:
    assert "nothing was released here before" in refused(Known(), seen()).message
    known = Known((made(1, "a", None, verified=False),), missing=("ledger", "stamp"))
    error = refused(known, seen(revision(2, "b", 100)))
    assert "ledger and stamp are lost" in error.message
    assert "--to #1" in error.hint


def test_what_served_before_shipper_is_the_last_resort() -> None:
    foreign = Revision(name="old", release=None, number=0)
    known = Known((made(1, "a"),), adopted="old")
    choice = chosen(known, seen(foreign, revision(1, "a", 100)))
    assert (choice.number, choice.revision, choice.release) == (0, foreign, None)
    assert choice.quarantine == (short(hashed("a")),)
    assert chosen(known, seen(foreign, revision(1, "a", 100)), "#0").number == 0
    assert "#0" in refused(known, seen(revision(1, "a", 100)), "#0").message


@pytest.mark.parametrize("to", [None, "#0"])
def test_what_was_replaced_in_place_is_said_to_come_back_by_removal_alone(to: str | None) -> None:
    known = Known((made(1, "a"),), adopted="old", splits=False, given_back=lambda: "Deployment old")
    error = refused(known, seen(revision(1, "a", 100)), to)
    assert "Deployment old" in error.message
    assert "not there any more" not in error.message
    assert "`shipper remove`" in f"{error.message} {error.hint}"


def test_what_runs_beside_and_no_rollback_applies_is_given_back_by_removal() -> None:
    known = Known((made(1, "a"),), adopted="old", splits=False, given_back=lambda: "Deployment old")
    error = refused(known, seen(FOREIGN, revision(1, "a", 100)), "#0")
    assert "moves traffic by applying a release" in error.message
    assert "`shipper remove` gives Deployment old back" in error.hint


@pytest.mark.parametrize("to", [None, "#0"])
def test_where_nothing_is_kept_removal_is_not_offered(to: str | None) -> None:
    known = Known((made(1, "a"),), adopted="old", splits=False)
    error = refused(known, seen(revision(1, "a", 100)), to)
    assert "shipper remove" not in f"{error.message} {error.hint}"


FOREIGN = Revision(name="old", release=None, number=0)
SERVES = FOREIGN.model_copy(update={"weight": 100})


def gave_back(number: int, **more: Any) -> KnownRelease:
    """A rollback to #0, as the ledger has it: it had no image, and its fingerprint is of nothing that runs."""
    return made(number, "nothing", rollback_to=0, image="", **more)


def test_a_rollback_to_what_served_before_shipper_is_no_release_of_its_own() -> None:
    known = Known((made(1, "a"), gave_back(2)), (short(hashed("a")),), adopted="old")
    assert known.serving(FOREIGN) == known[2]
    error = refused(known, seen(SERVES, revision(1, "a")))
    assert error.details[0] == "#2 (rollback to #0): it is what serves"
    for to in ("#0", "#2", short(hashed("nothing"))):
        choice = chosen(known, seen(SERVES), to)
        assert (choice.number, choice.release, choice.serves_already, choice.quarantine) == (0, None, True, ())


def test_it_is_gone_back_to_again_where_it_served_last() -> None:
    known = Known((made(1, "a"), made(2, "b"), gave_back(3), made(4, "c")), (short(hashed("b")),), adopted="old")
    choice = chosen(known, seen(FOREIGN, revision(4, "c", 100)))
    assert (choice.number, choice.release, choice.revision) == (0, None, FOREIGN)
    assert choice.quarantine == (short(hashed("c")),)
    assert chosen(known, seen(revision(4, "c", 100))).number == 1, "it is not there any more"
    assert "not there any more" in refused(known, seen(revision(4, "c", 100)), "#3").message


def test_one_whose_run_died_after_moving_traffic_to_it_is_taken_up_again() -> None:
    bad = (short(hashed("a")),)
    known = Known((made(1, "a"), gave_back(2, outcome="started")), bad, unrecorded_quarantine=bad, adopted="old")
    choice = chosen(known, seen(SERVES, revision(1, "a")))
    assert (choice.number, choice.serves_already, choice.quarantine) == (0, True, bad)


def test_no_record_of_it_is_anything_to_bring_back_or_to_compare_with() -> None:
    known = Known((made(1, "a"), gave_back(2)), adopted="old", look_up=lambda _: pytest.fail("it was looked up"))
    assert known.release(2) is None


def test_rollback_after_rollback_does_not_swing_to_and_fro() -> None:
    releases = [made(1, "a"), made(2, "b"), made(3, "c")]
    quarantined: list[str] = []
    serving, ends = "c", []
    for number in (4, 5):
        choice = chosen(Known(tuple(releases), tuple(quarantined)), seen(revision(3, serving, 100)))
        quarantined += choice.quarantine
        assert choice.release is not None
        serving = {hashed(text): text for text in "abc"}[choice.release.fingerprint]
        releases.append(made(number, serving, rollback_to=choice.number))
        ends.append(serving)
    assert ends == ["b", "a"]
    assert quarantined == [short(hashed("c")), short(hashed("b"))]
    refused(Known(tuple(releases), tuple(quarantined)), seen(revision(3, serving, 100)))


contents = st.sampled_from("abcde")


@given(
    history=st.lists(st.tuples(contents, st.sampled_from(["verified", "failed", "put-back", "started"])), max_size=8),
    serving=contents,
    quarantined=st.sets(contents, max_size=4),
)
def test_whatever_happened_the_choice_is_verified_not_quarantined_and_something_else(
    history: list[tuple[str, str]], serving: str, quarantined: set[str]
) -> None:
    releases = tuple(made(number, text, outcome) for number, (text, outcome) in enumerate(history, 1))
    known = Known(releases, tuple(short(hashed(text)) for text in sorted(quarantined)))
    fit = [
        release.number
        for release in releases
        if release.verified and release.fingerprint != hashed(serving) and release.short not in known.quarantined
    ]
    observation = seen(revision(99, serving, 100))
    if not fit:
        refused(known, observation)
        return
    choice = chosen(known, observation)
    assert choice.number == max(fit)
    assert choice.quarantine == (short(hashed(serving)),)


@given(st.lists(contents, min_size=2, max_size=6))
def test_going_back_again_and_again_visits_each_content_once_and_ends(texts: list[str]) -> None:
    releases = [made(number, text) for number, text in enumerate(texts, 1)]
    quarantined: list[str] = []
    serving, visited = texts[-1], [texts[-1]]
    for number in range(10, 30):
        try:
            choice = chosen(Known(tuple(releases), tuple(quarantined)), seen(revision(9, serving, 100)))
        except RollbackImpossible:
            break
        assert choice.release is not None
        serving = {hashed(text): text for text in "abcde"}[choice.release.fingerprint]
        assert serving not in visited
        visited.append(serving)
        quarantined += choice.quarantine
        releases.append(made(number, serving, rollback_to=choice.number))
    assert set(visited) == set(texts)


# As asked.

THREE = Known((made(41, "a"), made(42, "b", "failed", cause="crashed"), made(43, "c")), (short(hashed("b")),))
SERVING = seen(revision(41, "a"), revision(43, "c", 100))


@pytest.mark.parametrize("to", ["#41", "41", " #41 ", hashed("a")[7:13], hashed("image a"), hashed("a")[7:].upper()])
def test_a_release_is_named_by_number_digest_or_fingerprint(to: str) -> None:
    assert chosen(THREE, SERVING, to).number == 41


def test_a_number_is_a_number_before_it_is_a_digest() -> None:
    known = Known((made(1, "a"), made(111111, "b")))
    assert chosen(known, seen(revision(1, "a", 100)), "111111").number == 111111


def test_one_that_failed_or_is_quarantined_comes_back_when_it_is_named_and_that_is_told() -> None:
    choice = chosen(THREE, SERVING, "#42")
    assert choice.lift == (short(hashed("b")),)
    assert choice.remarks[0] == "#42 was never verified here: failed (crashed)"
    assert "that is lifted" in choice.remarks[1]


def test_what_a_stamp_alone_does_not_say_is_not_denied() -> None:
    known = Known((made(41, "a", None), made(43, "c")))
    assert chosen(known, SERVING, "#41").remarks[0] == "#41 is not known here to have been verified"


def test_the_digest_of_a_registry_names_a_release_too() -> None:
    known = Known((made(41, "a", reference=f"registry.test/shop@sha256:{'5' * 64}"), made(43, "c")))
    assert chosen(known, SERVING, "555555555555").number == 41


def test_going_forward_again_quarantines_nothing() -> None:
    known = Known((made(1, "a"), made(2, "b"), made(3, "a", rollback_to=1)), (short(hashed("b")),))
    choice = chosen(known, seen(revision(1, "a", 100), revision(2, "b")), "#2")
    assert (choice.quarantine, choice.lift) == ((), (short(hashed("b")),))


def test_what_serves_already_is_nothing_to_leave_behind() -> None:
    choice = chosen(THREE, SERVING, "#43")
    assert (choice.serves_already, choice.quarantine) == (True, ())


@pytest.mark.parametrize(
    ("to", "number"),
    [
        ("58 hours ago", 41),
        ("58h ago", 41),
        ("2.4d ago", 41),
        ("3500 minutes ago", 41),
        ("1 h ago", 43),
        ("1s ago", 43),
    ],
)
def test_what_served_at_a_time(to: str, number: int) -> None:
    assert chosen(THREE, SERVING, to).number == number


def test_a_moment_of_the_clock() -> None:
    moment = datetime.fromtimestamp(NOW - 58 * HOUR, UTC)
    assert chosen(THREE, SERVING, moment.isoformat()).number == 41
    assert chosen(THREE, SERVING, moment.astimezone().strftime("%Y-%m-%d %H:%M")).number == 41


def test_when_nothing_served_then_it_says_since_when() -> None:
    error = refused(THREE, SERVING, "30 d ago")
    assert "30 d ago" in error.message
    assert "#41" in error.hint


@pytest.mark.parametrize("to", ["yesterday", "", "#", "v41", "latest", "abc", "2 fortnights ago", "2999-01-01"])
def test_what_names_no_release_says_what_does(to: str) -> None:
    with pytest.raises(UsageError, match="names no release") as caught:
        chosen(THREE, SERVING, to)
    assert "2 hours ago" in caught.value.hint


def test_an_unknown_number_and_an_unknown_digest_are_refused() -> None:
    assert "#42" in refused(THREE, SERVING, "#99").hint
    assert "no release here has a digest" in refused(THREE, SERVING, "ffffff00").message


def test_what_could_be_several_lists_them() -> None:
    shared = hashed("one image")
    known = Known((made(1, "a", image=shared), made(2, "b", image=shared)))
    with pytest.raises(UsageError, match="could be 2 releases") as caught:
        chosen(known, seen(revision(2, "b", 100)), shared[:20])
    assert [line.partition(":")[0] for line in caught.value.details] == ["#2", "#1"]
