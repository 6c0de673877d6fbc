"""Bake time: the new revision has its share of the traffic, and the gates look at it until time is up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from shipper.errors import Denied, PlatformError, RolloutFailed, ShipperError
from shipper.model import GateJudged, GateSettings, GoldenRequest, Revision, Traffic
from shipper.model.quantities import show_count
from shipper.processes import ProgramMissing, TimedOut
from shipper.processes import run as run_child
from shipper.rollout.attempt import Attempt
from shipper.rollout.gate_judging import Judged, added, judge_error_rate, judge_latency
from shipper.rollout.readiness import wrong_answer
from shipper.rollout.verify import golden_requests, mend, words_of
from shipper.targets import Measures, Probes

EVERY = 1.0
"""Seconds between two looks at the counters: one exec on a Docker host (facts: 1.7 ms a command when it is open)."""


_RUN_LOG = "look at the run log; [rollout.gate] holds what is allowed"


def bake(attempt: Attempt, revision: Revision, share: int) -> None:
    """Wait `[rollout] bake` seconds; raises RolloutFailed, cause "gate", with the figures of the first failing gate."""
    rollout = attempt.settings.rollout
    gates = _Gates(attempt, revision, share)
    gates.begin()
    until = attempt.clock.monotonic() + rollout.bake
    while (left := until - attempt.clock.monotonic()) > 0:
        attempt.report.progress(f"baking {revision.name} at {share} %", done=rollout.bake - left, total=rollout.bake)
        attempt.patience.wait(min(EVERY, left))
        gates.look()
    gates.end()


class _Gates:
    """The gates of one bake time: what was counted since it began."""

    def __init__(self, attempt: Attempt, revision: Revision, share: int) -> None:
        self._attempt, self._revision, self._share = attempt, revision, share
        self._gate = attempt.settings.rollout.gate
        self._total, self._read = Traffic(), False
        self._last: Traffic | None = None  # the reading from which the next one counts
        self._problem = ""
        health, smoke = attempt.settings.health, attempt.settings.smoke
        self._golden: tuple[GoldenRequest, ...] = golden_requests(health, smoke) if self._gate.golden else ()

    def begin(self) -> None:
        """Count from the first reading on: requests of an earlier step say nothing about this one."""
        target = self._attempt.target
        if not isinstance(target, Measures) and _counts(self._gate):
            self._attempt.remark_once(f"a {target.kind} target counts no requests: our own golden requests decide")
        self._count()

    def look(self) -> None:
        """Whatever can be judged now."""
        self._count()
        for judged in self._by_counts():
            if judged.ok is False:
                self._tell(judged)
        self._ask_golden()

    def end(self) -> None:
        """Time is up: what the counters said is told, and the command has the last word."""
        if isinstance(self._attempt.target, Measures) and _counts(self._gate) and not self._read:
            self._tell(Judged("error-rate", False, f"the counters could not be read: {self._problem}"))
        for judged in self._by_counts():
            self._tell(judged)
        if self._golden and isinstance(self._attempt.target, Probes):
            asked = show_count(len(self._golden), "request")
            self._tell(Judged("golden", True, f"answered as it must be, {asked}"))
        if self._gate.command is not None:
            self._tell(self._judge_command(self._gate.command))

    def _count(self) -> None:
        reading = self._reading()
        if reading is None:
            return
        now = reading.get(self._revision.name, Traffic())
        if self._last is not None:
            self._total = added(self._total, self._last, now)
        self._last = now

    def _reading(self) -> Mapping[str, Traffic] | None:
        target = self._attempt.target
        if not isinstance(target, Measures) or not _counts(self._gate):
            return None
        try:
            reading = self._attempt.patience.read(target.measure)
        except PlatformError as error:  # one look is missed; `end` knows when all were
            self._problem = str(error)
            return None
        self._read = True
        return reading

    def _by_counts(self) -> Iterator[Judged]:
        if self._read:
            found = (judge_error_rate(self._total, self._gate), judge_latency(self._total, self._gate))
            yield from (judged for judged in found if judged is not None)

    def _ask_golden(self) -> None:
        target, patience = self._attempt.target, self._attempt.patience
        if not isinstance(target, Probes):
            return
        for request in self._golden:
            ask = partial(wrong_answer, target, self._revision, request)
            try:  # twice: one lost packet is no reason to go back
                fault = patience.read(ask) and patience.read(ask)
            except Denied as error:
                self._attempt.remark_once(f"the gate asks {self._revision.name} no golden requests: {error}")
                self._golden = ()
                return
            if fault:
                judged = Judged("golden", False, f"{request.name}: {fault.problem}")
                self._tell(judged, mend(request, is_first=request is self._golden[0]), words_of(fault.said))

    def _judge_command(self, command: tuple[str, ...]) -> Judged:
        attempt, program = self._attempt, Path(command[0]).name
        attempt.report.progress(f"asking {program} about {self._revision.name}")
        root = attempt.settings.service.root
        try:
            ended = run_child(
                command,
                env=self._variables(),
                cwd=Path(root) if root else None,
                timeout=self._gate.command_timeout,
                on_line=lambda stream, line: attempt.report.log(line, stream),
                cancel=attempt.cancel,
            )
        except (ProgramMissing, TimedOut) as error:
            return Judged("command", False, error.message)
        attempt.patience.check()
        measured = {"status": float(ended.returncode), "seconds": round(ended.seconds, 3)}
        return Judged("command", ended.ok, f"{program} ended with status {ended.returncode}", measured)

    def _variables(self) -> dict[str, str]:
        attempt = self._attempt
        address = attempt.writer.last.address
        return {
            "SHIPPER_SERVICE": attempt.settings.service.service,
            "SHIPPER_ENVIRONMENT": attempt.settings.service.environment,
            "SHIPPER_REVISION": self._revision.name,
            "SHIPPER_NUMBER": str(attempt.release.number),
            "SHIPPER_WEIGHT": str(self._share),
            "SHIPPER_ADDRESS": address.url if address else "",
            "SHIPPER_HOST": (address.host or "") if address else "",
        }

    def _tell(self, judged: Judged, hint: str = _RUN_LOG, details: Sequence[str] = ()) -> None:
        """An event for each verdict; a gate that fails ends the rollout, and `hint` and `details` say more of that."""
        if judged.ok is None:
            self._attempt.report.remark(
                f"gate {judged.gate} at {self._share} %: {judged.reason}; our own golden requests decide"
            )
            return
        self._attempt.report.emit(
            GateJudged(
                gate=judged.gate,
                revision=self._revision.name,
                weight=self._share,
                ok=judged.ok,
                reason=judged.reason,
                measured=judged.measured,
            )
        )
        if not judged.ok:
            raise _refused(judged, self._revision, self._share, hint, details)


def _counts(gate: GateSettings) -> bool:
    return gate.error_rate is not None or gate.latency is not None


def _refused(judged: Judged, revision: Revision, share: int, hint: str, details: Sequence[str]) -> ShipperError:
    return RolloutFailed(
        f"gate {judged.gate} failed on {revision.name} at {share} %: {judged.reason}",
        hint=hint,
        details=details,
        cause="gate",
    )
