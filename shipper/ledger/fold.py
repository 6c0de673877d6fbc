"""What a log means: the state after each entry. Pure, and of bounded size whatever the log's length."""

from __future__ import annotations

from shipper.model import Adopted, Entry, Finished, LedgerState, Recorded, Removed, Started

NEWEST = 30
"""Releases that stay in the state, whatever became of them."""
VERIFIED = 10
"""Verified releases that stay in it besides, however many failed since: the ways back."""
NUMBERS = 100
"""Numbers that were verified."""
QUARANTINED = 500
"""Short fingerprints; beyond this the oldest are let go."""


def fold(state: LedgerState, entry: Entry) -> LedgerState:
    """The state after one more entry. A fact of a kind that we do not know moves the position, and nothing else."""
    match entry.fact:
        case Started():
            changed = _started(state, entry, entry.fact)
        case Finished():
            changed = _finished(state, entry, entry.fact)
        case Adopted():
            changed = {"adopted": entry.fact.revision}
            if state.serving is None:
                changed["serving"] = 0
        case Removed():
            changed = {"serving": None, "releases": _handed_over(state.releases, state.serving, None, entry.at)}
        case _:
            changed = {}
    return state.model_copy(update={**changed, "position": entry.position})


def recorded(entry: Entry, fact: Started) -> Recorded:
    """The line of history that a `started` entry begins."""
    release = fact.release
    main = release.images.get("main")
    return Recorded(
        number=release.number,
        id=release.id,
        fingerprint=release.fingerprint,
        image=main.config_digest if main else "",
        reference=main.reference if main else "",
        commit=release.commit,
        outcome="started",
        started=entry.at,
        who=fact.by.who,
        rollback_to=release.rollback_to,
        reason=fact.reason,
        position=entry.position,
        run=entry.run,
        epoch=entry.epoch,
    )


def finished(line: Recorded, entry: Entry, fact: Finished) -> Recorded:
    """The same line once it is known how it ended."""
    proof = fact.verdict.proof if fact.verdict is not None else "none"
    return line.model_copy(update={"outcome": fact.outcome, "cause": fact.cause, "proof": proof, "finished": entry.at})


def died(line: Recorded, by: Entry) -> bool:
    """Whether the run behind an unfinished line must be dead: another run began later, under a newer lease."""
    return line.outcome == "started" and line.run != by.run and line.epoch < by.epoch


def serves_after(fact: Finished) -> int | None:
    """The number that serves after this; None when the entry does not say."""
    return fact.number if fact.serves is None and fact.outcome == "verified" else fact.serves


def _started(state: LedgerState, entry: Entry, fact: Started) -> dict[str, object]:
    known = [line.model_copy(update={"outcome": "abandoned"}) if died(line, entry) else line for line in state.releases]
    return {
        "highest": max(state.highest, fact.release.number),
        "releases": _bounded((*known, recorded(entry, fact)), state.serving),
    }


def _finished(state: LedgerState, entry: Entry, fact: Finished) -> dict[str, object]:
    lines = tuple(finished(line, entry, fact) if line.number == fact.number else line for line in state.releases)
    changed: dict[str, object] = {
        "quarantined": _quarantined(state.quarantined, fact),
        "verified": _verified(state.verified, fact),
    }
    serving = serves_after(fact)
    if serving is not None:
        lines = _handed_over(lines, state.serving, serving, entry.at)
        changed["serving"] = serving
    return {**changed, "releases": lines}


def _handed_over(lines: tuple[Recorded, ...], before: int | None, after: int | None, at: float) -> tuple[Recorded, ...]:
    """Who served until now did so until `at`; who serves from now on has no end yet."""
    if before == after:
        return lines
    until = {before: at, after: None}
    return tuple(
        line.model_copy(update={"until": until[line.number]}) if line.number in until else line for line in lines
    )


def _verified(numbers: tuple[int, ...], fact: Finished) -> tuple[int, ...]:
    rest = set(numbers) - {fact.number}
    return tuple(sorted(rest | {fact.number} if fact.outcome == "verified" else rest)[-NUMBERS:])


def _quarantined(known: tuple[str, ...], fact: Finished) -> tuple[str, ...]:
    gone = {*fact.lift, *fact.quarantine}
    return (*(each for each in known if each not in gone), *dict.fromkeys(fact.quarantine))[-QUARANTINED:]


def _bounded(lines: tuple[Recorded, ...], serving: int | None) -> tuple[Recorded, ...]:
    older, newest = lines[:-NEWEST], lines[-NEWEST:]
    ways_back = [line.number for line in lines if line.outcome == "verified"][-VERIFIED:]
    return (*(line for line in older if line.number in ways_back or line.number == serving), *newest)
