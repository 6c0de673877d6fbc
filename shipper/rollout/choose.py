"""What to go back to: a pure function of what is known, what serves, and what was asked for.

Without `--to`: the newest release that was verified here, has another fingerprint than what serves, and is not
quarantined. What serves is the newest revision with traffic: in the middle of a canary that is the canary. What is left
behind is quarantined, so that going back again goes further back, and never to and fro. #0, which served before shipper
came, is the last resort; once a rollback has gone back to it, it has its place among the others.

What is known decides: ledger and stamp both know what was verified, and either suffices. When both are lost nothing is
known to be good, and shipper does not guess: `--to` names a release, and the rollout proves it or puts things back.
A rollback whose run died after it had moved the traffic is taken up again: its choice is made again, not the next one.
Without its line in the ledger that is known where what it left behind is the newest that was ever verified here, or
newer; of several in a row without the ledger only the first leaves that mark, unless they were applied anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shipper.errors import RollbackImpossible, UsageError
from shipper.model import Observation, Revision, Wanted, known_as, short
from shipper.rollout.aborting import applied_last
from shipper.rollout.ages import show_age
from shipper.rollout.asked_for import digest_in, not_understood, number_in, time_in
from shipper.rollout.known import DEAD, Known, KnownRelease


@dataclass(frozen=True)
class Choice:
    """What to go back to, and what that leaves behind. `release` is None for #0 (`revision` is it then)."""

    number: int
    """The number whose content comes back: of the release that brought it here first."""
    release: KnownRelease | None
    revision: Revision | None
    """The revision that still lives: running (only traffic is missing) or stopped."""
    quarantine: tuple[str, ...] = ()
    lift: tuple[str, ...] = ()
    serves_already: bool = False
    """It has all of the traffic: nothing to do but to prove it."""
    age: float | None = None
    """Seconds since it was released."""
    healthy_for: float | None = None
    """Seconds from verified until another took its place."""
    remarks: tuple[str, ...] = ()

    @property
    def warm(self) -> bool:
        """One traffic write brings it back."""
        return self.revision is not None and self.revision.state == "running"


def _all_differ(_: KnownRelease) -> str:
    return ""


def choose(
    known: Known,
    observation: Observation,
    wanted: Wanted,
    now: float,
    same: Callable[[KnownRelease], str] = _all_differ,
) -> Choice:
    """The release to go back to. `same` says why a release, as it would come back, is no other than what serves; empty
    when it is another.

    Raises RollbackImpossible (23), whose details say why each candidate was passed over, and UsageError (2) when
    `wanted.to` is not understood or could be several. Whether its image and secret values are still there is asked
    of the target (`restorable`), not known here.
    """
    if wanted.to is not None:
        return _as_asked(known, observation, wanted, wanted.to, now, same)
    serving = newest_serving(observation)
    dead = _dead_rollback(known, serving)
    if dead is not None:
        return _choice(known, observation, dead, now, quarantine=known.unrecorded_quarantine)
    brought = _brought_unrecorded(known, serving)
    if brought is not None:
        return _taken_up(known, observation, brought, now)
    details = []
    for release in _by_content(known):
        why = _passed_over(known, observation, release, serving, wanted) or same(release)
        if not why:
            return _choice(known, observation, release, now, quarantine=_left_behind(known, serving, release, wanted))
        details.append(f"{release.name}: {why}")
    adopted = adopted_revision(known, observation)
    if adopted is not None and not _has_all_traffic(observation, adopted):
        why = _why_not_adopted(known, observation, adopted)
        if not why:
            return _adopted(known, observation, adopted, _bad(known, serving, wanted))
        details.append(f"#0: {why}")
    raise _impossible(known, serving, details)


def newest_serving(observation: Observation) -> Revision | None:
    """The newest revision with traffic: under way in a canary, else the one that serves.

    Where the platform moves traffic by itself, what it is about to bring counts as well: not a release that failed
    before, while what served is being put back. Where nothing serves, that is what would come back first.
    """
    found = list(observation.serving)
    if observation.in_flight is not None:
        about_to = applied_last(observation)
        found = [*found, about_to] if found and about_to is not None else [*found, *observation.revisions]
    return max(found, key=lambda revision: revision.number or 0, default=None)


def adopted_revision(known: Known, observation: Observation) -> Revision | None:
    """What served before shipper came, while it is there: as the ledger has it, else what carries no release."""
    there = [found for found in observation.revisions if found.release is None and found.state != "failed"]
    return next((found for found in there if known.adopted in (None, found.name)), None)


def _why_not_adopted(known: Known, observation: Observation, adopted: Revision) -> str:
    """Why #0 cannot come back; empty when it can. Without a record traffic is all that it can be given."""
    if adopted.state != "running":
        return f"{adopted.name} is {adopted.state}, and has no record to start it from"
    if not known.splits and not (adopted.weight and observation.in_flight):  # else ending the operation is enough
        return f"{adopted.name} has no record to be applied from, and this target moves traffic by applying a release"
    return ""


def _why_not_given_back(known: Known, observation: Observation) -> str:
    """Why #0 is not gone back to a second time; empty when it is."""
    adopted = adopted_revision(known, observation)
    if adopted is None:
        return "what served before shipper came is not there any more"
    return (
        "it is what serves" if _has_all_traffic(observation, adopted) else _why_not_adopted(known, observation, adopted)
    )


def _has_all_traffic(observation: Observation, revision: Revision) -> bool:
    """And keeps it: no operation is about to take it away."""
    return observation.in_flight is None and [found.name for found in observation.serving] == [revision.name]


def living_revision(known: Known, observation: Observation, fingerprint: str) -> Revision | None:
    """The revision with this content that runs or can be started; running first, then what was verified, then the
    newest: a rollback that failed leaves another one of its content.
    """
    same = [found for found in observation.revisions if found.fingerprint == fingerprint and found.release]
    fit = [found for found in same if found.state in ("running", "stopped")]
    return max(
        fit,
        key=lambda found: (found.state == "running", found.number in known.verified, found.number or 0),
        default=None,
    )


# Without --to.


def _by_content(known: Known) -> Iterable[KnownRelease]:
    """Newest first, one for each content: the newest verified one of it, else the newest. #0 is one content."""
    chosen: dict[str, KnownRelease] = {}
    for release in reversed(known.releases):
        content = "#0" if release.gave_back else release.fingerprint
        found = chosen.get(content)
        if found is None or (release.verified and not found.verified):
            chosen[content] = release
    return sorted(chosen.values(), key=lambda release: -release.number)


def _passed_over(
    known: Known, observation: Observation, release: KnownRelease, serving: Revision | None, wanted: Wanted
) -> str:
    """Why it is not gone back to by itself; empty when it is."""
    if serving is not None and release.fingerprint == serving.fingerprint:
        return "it is what serves" if serving.weight else "it is under way, and has no traffic"
    if not release.verified:
        return f"it {_unverified(release)}"
    if release.gave_back:
        return _why_not_given_back(known, observation)
    if _kept_out(known, release):
        return f"it is quarantined (--to #{release.number} brings it back all the same)"
    if wanted.quarantine_image and release.image and release.image == _image_of(known, serving):
        return "it runs the image that is to be quarantined"
    return ""


def _unverified(release: KnownRelease) -> str:
    """As far as it is known: a stamp names the last verified ones alone."""
    if release.outcome is None:
        return "is not known here to have been verified"
    return f"was never verified here: {release.outcome}" + (f" ({release.cause})" if release.cause else "")


def _kept_out(known: Known, release: KnownRelease) -> tuple[str, ...]:
    """What of it is quarantined: its fingerprint, its image, or both."""
    return tuple(one for one in (release.short, short(release.image)) if one in known.quarantined)


def _dead_rollback(known: Known, serving: Revision | None) -> KnownRelease | None:
    """The newest release, when it is a rollback that serves and whose run did not live to say so."""
    newest = known.releases[-1] if known.releases else None
    if newest is None or newest.rollback_to is None or serving is None or not newest.serves_as(serving):
        return None
    untold = newest.outcome is None and not newest.verified and "stamp" not in known.missing
    return newest if newest.outcome in DEAD or untold else None


def _brought_unrecorded(known: Known, serving: Revision | None) -> KnownRelease | None:
    """What serves, when a rollback that the ledger does not know brought it, and its run died before it was proved.

    The write that moved the traffic quarantined what it left behind. Had it ended well, its own number would be
    verified, and that is a newer one. Where the ledger knows of anything newer it knows what happened.
    """
    current = known.serving(serving) if serving is not None else None
    left = [release.number for release in known.releases if release.short in known.unrecorded_quarantine]
    if current is None or not current.verified or current.short in known.quarantined or not left:
        return None
    told = [release.number for release in known.releases if release.outcome is not None]
    return current if max(left) >= max([*known.verified, *told], default=0) else None


def _taken_up(known: Known, observation: Observation, release: KnownRelease, now: float) -> Choice:
    remark = (
        f"{release.name} serves since a rollback that nobody recorded the end of: it is proved and finished; "
        "--to goes to another one"
    )
    quarantine = known.unrecorded_quarantine
    return _choice(known, observation, release, now, quarantine=quarantine, remarks=(remark,))


def _impossible(known: Known, serving: Revision | None, details: list[str]) -> RollbackImpossible:
    if not known.releases:
        return RollbackImpossible("nothing was released here before", hint="`shipper release` makes a first release")
    if {"ledger", "stamp"} <= set(known.missing):
        return RollbackImpossible(
            "ledger and stamp are lost: no earlier release is known to have been verified here",
            hint=f"name the one to bring back: --to #{known.releases[-1].number}; it is proved before it serves",
            details=details,
        )
    now = serving.fingerprint if serving is not None else None
    earlier = [one for one in _by_content(known) if one.verified and one.fingerprint != now]
    kept_out = [one.name for one in earlier if _kept_out(known, one)]
    but = f" but what is quarantined ({', '.join(kept_out)})" if kept_out else ""
    kept = known.given_back()
    removal = f"; what was here before shipper (#0, {kept}) comes back by `shipper remove` alone" if kept else ""
    return RollbackImpossible(
        f"there is no earlier verified release to go back to{but}{removal}",
        hint="`shipper history` shows all; --to brings back any of them, a quarantined one too",
        details=details,
    )


# With --to.


def _as_asked(
    known: Known,
    observation: Observation,
    wanted: Wanted,
    to: str,
    now: float,
    same: Callable[[KnownRelease], str],
) -> Choice:
    serving = newest_serving(observation)
    release = None if number_in(to) == 0 else _named(known, to, now)
    if release is None or release.gave_back:
        adopted = _adopted_as_asked(known, observation)
        alone = _has_all_traffic(observation, adopted)
        return _adopted(known, observation, adopted, () if alone else _bad(known, serving, wanted))
    why = same(release)
    if why:
        return _no_other(known, observation, wanted, release, why, now)
    lift = _kept_out(known, release)
    remarks = [] if release.verified else [f"{release.name} {_unverified(release)}"]
    if lift:
        remarks.append(f"{release.name} was quarantined here: it is asked for by name, so that is lifted")
    if wanted.quarantine_image and release.image and release.image == _image_of(known, serving):
        remarks.append(f"{release.name} runs the same image as what serves: the image is not quarantined")
    quarantine = _left_behind(known, serving, release, wanted)
    return _choice(known, observation, release, now, quarantine, lift, tuple(remarks))


def _no_other(
    known: Known, observation: Observation, wanted: Wanted, release: KnownRelease, why: str, now: float
) -> Choice:
    """With the secret values of now it is what serves: nothing to do where those were asked for.

    Raises RollbackImpossible (23) where they were not: what was asked for does not serve, and cannot.
    """
    serving = newest_serving(observation)
    current = known.serving(serving) if serving is not None else None
    if current is None or wanted.secrets != "current":
        raise RollbackImpossible(
            f"{release.name} would bring nothing back: {why}",
            hint="give the secret the value that it should have, then `shipper release`; "
            "`shipper rollback` without --to goes to a release that differs",
        )
    remark = f"with the secret values of now {release.name} is no other than {current.name}, which serves"
    return _choice(known, observation, current, now, remarks=(remark,))


def _adopted_as_asked(known: Known, observation: Observation) -> Revision:
    adopted = adopted_revision(known, observation)
    why = "it is not there any more" if adopted is None else _why_not_adopted(known, observation, adopted)
    if adopted is not None and not why:
        return adopted
    kept = known.given_back()
    if kept and adopted is None:
        why = f"{kept} was replaced in place, and a rollback applies releases alone"
    removal = f"`shipper remove` gives {kept} back, and takes the service away; " if kept else ""
    raise RollbackImpossible(
        f"what served before shipper came (#0) cannot come back by a rollback: {why}",
        hint=f"{removal}`shipper history` shows the rest",
    )


def _named(known: Known, to: str, now: float) -> KnownRelease:
    number, digits, moment = number_in(to), digest_in(to), time_in(to, now)
    if number is not None and (found := known.numbered(number)):
        return _only(found, to, "name one by its fingerprint: this number was taken twice")
    if digits is not None and (number is None or len(digits) >= 6):
        return _with_digest(known, digits, to)
    if number is not None:
        numbers = ", ".join(release.name for release in known.releases[-10:]) or "none"
        raise RollbackImpossible(f"no release #{number} is known here", hint=f"known, the newest: {numbers}")
    if moment is None or moment > now:
        raise not_understood(to)
    return _at(known, moment, now)


def _with_digest(known: Known, digits: str, to: str) -> KnownRelease:
    found = [release for release in _by_content(known) if _starts(release, digits)]
    if not found:
        raise RollbackImpossible(
            f'no release here has a digest or fingerprint that starts with "{to}"', hint="`shipper history` shows all"
        )
    return _only(found, to, "name one by its number")


def _only(found: Sequence[KnownRelease], to: str, hint: str) -> KnownRelease:
    if len(found) > 1:
        raise UsageError(
            f'--to "{to}" could be {len(found)} releases',
            hint=hint,
            details=[f"{release.name}: fingerprint {release.short}, image {_image(release)}" for release in found],
        )
    return found[0]


def _starts(release: KnownRelease, digits: str) -> bool:
    names = (release.fingerprint, release.image, release.reference.partition("@")[2])
    return any(one.removeprefix("sha256:").startswith(digits) for one in names)


def _image(release: KnownRelease) -> str:
    return known_as(release.image, release.reference)


def _at(known: Known, moment: float, now: float) -> KnownRelease:
    """What served then: the newest that was verified by then. Without the ledger: that was released by then."""
    verified = [release for release in known.releases if release.verified]
    before = [release for release in verified if (release.finished or release.created) <= moment]
    if before:
        return max(before, key=lambda release: release.finished or release.created)
    first = min(verified, key=lambda release: release.created, default=None)
    since = f"the first verified release that is known is {first.name}" if first else "no verified release is known"
    raise RollbackImpossible(
        f"nothing of ours is known to have served {show_age(now - moment)} ago", hint=f"{since}; see `shipper history`"
    )


# What a choice means.


def _choice(
    known: Known,
    observation: Observation,
    release: KnownRelease,
    now: float,
    quarantine: tuple[str, ...] = (),
    lift: tuple[str, ...] = (),
    remarks: tuple[str, ...] = (),
) -> Choice:
    if release.gave_back:
        return _adopted(known, observation, _adopted_as_asked(known, observation), quarantine, remarks)
    settled = len(observation.serving) == 1 and observation.in_flight is None
    alone = settled and observation.serving[0].fingerprint == release.fingerprint
    verified_at = release.finished or release.created
    return Choice(
        number=_origin(known, release),
        release=release,
        revision=living_revision(known, observation, release.fingerprint),
        quarantine=quarantine,
        lift=lift,
        serves_already=alone,
        age=now - (known[_origin(known, release)] or release).created,
        healthy_for=_until(known, release, now) - verified_at if release.verified else None,
        remarks=remarks,
    )


def _origin(known: Known, release: KnownRelease) -> int:
    """Of a rollback: the release that it had brought back."""
    found: KnownRelease | None = release
    number, seen = release.number, {release.number}
    while found is not None and found.rollback_to is not None and found.rollback_to not in seen:
        number = found.rollback_to
        seen.add(number)
        found = known[number]
    return number


def _until(known: Known, release: KnownRelease, now: float) -> float:
    if release.until is not None:
        return release.until
    later = [found for found in known.releases if found.verified and found.number > release.number]
    return (later[0].finished or later[0].created) if later else now


def _left_behind(known: Known, serving: Revision | None, release: KnownRelease, wanted: Wanted) -> tuple[str, ...]:
    """What is quarantined: what serves now, when it is gone back from. Going forward again quarantines nothing."""
    current = known.serving(serving) if serving is not None else None
    number = _origin(known, current) if current is not None else (serving.number or 0) if serving else 0
    if serving is None or serving.fingerprint == release.fingerprint or _origin(known, release) > number:
        return ()
    return tuple(one for one in _bad(known, serving, wanted) if one != short(release.image))


def _bad(known: Known, serving: Revision | None, wanted: Wanted) -> tuple[str, ...]:
    if serving is None or serving.release is None or serving.fingerprint is None:
        return ()
    image = _image_of(known, serving)
    extended = (short(image),) if wanted.quarantine_image and image else ()
    return (short(serving.fingerprint), *extended)


def _image_of(known: Known, serving: Revision | None) -> str:
    """Config digest of the image that serves, from the platform or from what is known of its release; else empty."""
    if serving is None or serving.image:
        return serving.image if serving is not None else ""
    current = known.serving(serving)
    return current.image if current is not None else ""


def _adopted(
    known: Known,
    observation: Observation,
    revision: Revision,
    quarantine: tuple[str, ...],
    remarks: tuple[str, ...] = (),
) -> Choice:
    first = min((release.created for release in known.releases), default=None)
    remark = f"#0 is {revision.name}, which served before shipper came: only its traffic can be proved"
    return Choice(
        number=0,
        release=None,
        revision=revision,
        quarantine=quarantine,
        serves_already=_has_all_traffic(observation, revision),
        healthy_for=first - revision.created if first and revision.created else None,
        remarks=(*remarks, remark),
    )
