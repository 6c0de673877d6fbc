"""history: the releases of a service on a target, from the ledger; from the platform's own records without it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from shipper.errors import LedgerError, PlatformError
from shipper.ledger.protocol import Ledger
from shipper.model import Observation, Recorded
from shipper.model.shown import History, HistoryLine
from shipper.operations.ledgers import ledger_of
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.rollout.known import Known, KnownRelease, known, merged
from shipper.targets import Target


def history(where: Where, limit: int) -> History:
    """The newest `limit` releases; the ledger is read no further than that. Works with either side alone.

    Raises CredentialsError (32), UnreachableError (33) when neither the ledger nor the platform answers.
    """
    workspace = open_place(where)
    ledger, target, remarks = ledger_of(workspace), workspace.connect(), Remarks()
    observation = _observed(target)
    found = known(target, ledger, remarks, observation=observation)
    everything = merged(_recorded(ledger, limit, found), found.records, _verified(found))
    return History(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        ledger="" if "ledger" in found.missing else ledger.url,
        releases=_lines(everything, _serving(observation, found), WallClock().now())[:limit],
        remarks=tuple(remarks.texts),
    )


def _recorded(ledger: Ledger, limit: int, found: Known) -> list[Recorded]:
    if "ledger" in found.missing:
        return []
    try:
        return list(islice(ledger.history(), limit))
    except LedgerError:  # it has answered a moment ago: what its state held is shown
        return []


def _verified(found: Known) -> list[int]:
    return [release.number for release in found.releases if release.verified]


def _observed(target: Target) -> Observation | None:
    """None when the platform does not answer: then nothing is marked as serving."""
    try:
        return target.observe()
    except PlatformError:
        return None


def _serving(observation: Observation | None, found: Known) -> KnownRelease | None:
    main = observation.main if observation is not None else None
    return found.serving(main) if main is not None else None


def _lines(releases: Sequence[KnownRelease], serving: KnownRelease | None, now: float) -> tuple[HistoryLine, ...]:
    """Newest first. A release served until the next verified one was verified; what serves serves until now."""
    lines: list[HistoryLine] = []
    replaced: float | None = None
    for release in reversed(releases):
        serves = serving is not None and (release.number, release.id) == (serving.number, serving.id)
        since = release.finished or release.created
        until = now if serves else release.until or replaced
        lines.append(
            HistoryLine(
                number=release.number,
                outcome=release.outcome,
                verified=release.verified,
                proof=release.proof,
                cause=release.cause,
                who=release.who,
                commit=release.commit,
                image=release.image,
                reference=release.reference,
                fingerprint=release.fingerprint,
                started=release.created,
                finished=release.finished,
                served=max(0.0, until - since) if release.verified and until is not None else None,
                serves=serves,
                rollback_to=release.rollback_to,
                reason=release.reason,
            )
        )
        replaced = since if release.verified else replaced
    return tuple(lines)
