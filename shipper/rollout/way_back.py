"""The last line of every run: what a rollback would go back to from here, and how fast; or why it could not."""

from __future__ import annotations

from shipper.errors import LedgerError, PlatformError, ShipperError
from shipper.model import Observation, Release, Restorable, Wanted
from shipper.model.quantities import show_duration
from shipper.rollout.ages import show_age
from shipper.rollout.choose import Choice, choose
from shipper.rollout.known import Known, KnownRelease
from shipper.rollout.returning import only_secrets_differ, returning_versions, serving_record, which_secrets
from shipper.rollout.starting import start_seconds
from shipper.targets import Target

WARM = 3.0
"""Seconds, from the command to the proof, when the revision runs: the goal that benchmarks/rollback.py holds it to."""


def way_back(target: Target, known: Known, observation: Observation, now: float) -> str:
    """Such as "ready -> #41 (2 h old, healthy for 3 d), about 3 s, warm", or "not possible: …". Never raises ours."""
    try:
        wanted = Wanted()
        choice = choose(known, observation, wanted, now, only_secrets_differ(target, known, observation, wanted))
        if choice.serves_already:
            return f"under way -> #{choice.number}: `shipper rollback` finishes it"
        problems, about = _prospect(target, known, choice, observation)
    except (ShipperError, PlatformError) as error:
        return f"not possible: {error}"
    if problems:
        return f"not possible: #{choice.number} cannot come back: {problems[0]}"
    return f"ready -> {_described(choice)}, {about}"


def _prospect(target: Target, known: Known, choice: Choice, observation: Observation) -> tuple[tuple[str, ...], str]:
    """What keeps it from coming back, with the secret values that it would have, and how long it would take."""
    if choice.release is None:  # chosen only while it runs
        return (), f"about {WARM:g} s, warm"
    record = known.record(choice.release)
    if record is None:
        return ("no record of it is left",), ""
    which = which_secrets(Wanted(), record, target)
    versions = returning_versions(target, record, lambda: serving_record(known, observation, needed=True), which)
    found: Restorable = target.restorable(record.model_copy(update={"secret_versions": versions}))
    if (choice.warm or found.warm) and versions == record.secret_versions:
        return found.problems, _warm(target, record)
    first = known[choice.number]
    own = _own_record(known, first, record) if first is not None else None
    seconds = start_seconds(first, own, target.traits.weight_step)
    if seconds is not None:
        return found.problems, f"about {show_duration(seconds)}: it has to start"
    return found.problems, f"at most {show_duration(record.settings.health.startup)} until it is ready"


def _own_record(known: Known, first: KnownRelease, record: Release) -> Release | None:
    """Of the very release, by whichever side still has it: a rollback to it was made in another way."""
    own = next((one for one in (record, *known.records) if one.id == first.id), None)
    try:
        found = own if own is not None else known.look_up(first.number)
    except LedgerError:
        return None
    return found if found is not None and found.id == first.id else None


def _warm(target: Target, record: Release) -> str:
    """One write brings it back; where it may have no instance, its first request waits for a start."""
    if not target.traits.scales_to_zero or record.settings.scale.min:
        return f"about {WARM:g} s, warm"
    start = f" of {show_duration(record.started_in)}" if record.started_in is not None else ""
    return f"about {WARM:g} s, and its start{start}"


def _described(choice: Choice) -> str:
    words = [_number_there(choice)] if _number_there(choice) else []
    words += [f"{show_age(choice.age)} old"] if choice.age is not None else []
    words += [f"healthy for {show_age(choice.healthy_for)}"] if choice.healthy_for is not None else []
    return f"#{choice.number} ({', '.join(words)})" if words else f"#{choice.number}"


def _number_there(choice: Choice) -> str:
    """After a rollback its revision may have that one's number."""
    number = choice.revision.number if choice.revision is not None else None
    return f"now as #{number}" if number not in (None, choice.number) else ""
