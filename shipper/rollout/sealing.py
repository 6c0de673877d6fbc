"""What was proved is recorded, on the platform and in the ledger; what cannot be is told by exit code 24."""

from __future__ import annotations

from shipper.errors import NotRecorded, Overtaken, PlatformError, ShipperError
from shipper.model import Observation, Revision, Stamp, Verdict
from shipper.rollout.patience import OutOfTime
from shipper.rollout.record import Record
from shipper.rollout.run import Run
from shipper.rollout.stamps import with_quarantine, with_verified
from shipper.rollout.writes import Writer


def seal_stamp(run: Run, writer: Writer, revision: Revision, number: int) -> str:
    """Verified, on the platform itself; why that could not be written, empty when it could. Raises Overtaken."""
    deployable = run.deployable
    # A revision that lives on keeps the number that it was made with: both are verified now.
    numbers = dict.fromkeys([*([revision.number] if revision.number else []), number])
    writer.patience, writer.quarantined = run.last(), None

    def call(now: Observation, stamp: Stamp) -> None:
        quarantined = with_quarantine(stamp, deployable.quarantine, deployable.lift)
        run.target.write_stamp(with_verified(quarantined, *numbers), now.seen)

    try:
        writer.write(call, "write the stamp")
    except Overtaken:
        raise
    except OutOfTime:
        return "no time was left to write the stamp"
    except (PlatformError, ShipperError) as error:
        return f"the stamp could not be written: {error}"
    return ""


def refuse_unrecorded(record: Record, problem: str, writer: Writer, number: int, verdict: Verdict) -> None:
    """Raises NotRecorded (24) when the ledger or the stamp could not be written: it says what serves, and the proof."""
    lost = [reason for reason in (record.lost, problem) if reason]
    if not lost:
        return
    address = writer.last.address
    where = f" at {address.url}" if address else ""
    raise NotRecorded(
        f"#{number} serves{where}, proved by {verdict.proof}, but could not be recorded: {lost[0]}",
        hint="`shipper status --repair` records it when the ledger answers again",
        details=lost[1:],
    )
