"""Writing to a target under the fence: observe, see that we may still write, write with `seen`, again on a conflict.

The fence: every write's stamp carries our epoch, and the platform refuses a lower one. Whoever observes a higher epoch
than its own has been overtaken and writes nothing any more, not even to put things back. Before its own first write
that holds for any epoch but the one first observed: somebody who took the same number elsewhere was here. Only whoever
seized the lease passes over a lower one: its holder may not have noticed yet, and our first write will stop it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

from shipper.errors import Conflict, DriftError, Overtaken, PlatformError, RolloutFailed, Transient
from shipper.ledger.protocol import Lease
from shipper.model import Observation, Stamp
from shipper.rollout.patience import Patience
from shipper.targets import Target

Result = TypeVar("Result")
Weights = Mapping[str, int]

PAUSE = 0.2
"""Seconds, at most, before a write is decided anew: putting back has two seconds in all (design.md section 5)."""

LONGEST_PAUSE = 2.0
"""Seconds, at most, between two tries while a platform does not answer."""

SILENT_TRIES = 16
"""How often a write that puts back is tried while the platform gives no answer, with growing pauses about 15 s in all:
some are away for a moment, and giving up leaves what is not proved in traffic."""

TRIES = 5
"""How often a write is decided anew after a conflict, before somebody else is believed to be at work."""


class Writer:
    """All writes of one run to one target. `patience` may be replaced: putting back goes on after a cancellation."""

    def __init__(
        self, target: Target, lease: Lease, first: Observation, patience: Patience, *, seizing: bool = False
    ) -> None:
        self.target = target
        self.lease = lease
        self.patience = patience
        self.last = first
        self.number = 0
        self.persists = False
        """Whether a platform that gives no answer is asked for longer: what served is being put back."""
        self.quarantined: tuple[str, ...] | None = None
        """What every stamp from now on says; None: what it said before."""
        self.wrote = False
        """Whether a write of ours is on the platform, or may be."""
        self.doubtful = False
        """Whether a write of ours may still be carried out: it was left behind, or its answer was lost."""
        self._first_epoch = first.stamp.epoch
        self._seizing = seizing
        # A write that is conditional needs no second look: when the first one is too old, it is refused.
        self._unused = target.traits.conditional_writes

    def write(
        self,
        call: Callable[[Observation, Stamp], Result],
        what: str,
        *,
        expected: Collection[Weights] | None = None,
        ours: Callable[[Observation], bool] = lambda _: False,
    ) -> Result:
        """`call(observation, stamp)` on a fresh observation, decided anew on Conflict and when no answer came.

        The run's first write is made on its first observation, where the platform refuses it if that is too old.

        `expected` are the weights that must serve, any of them, for this write to be ours to make; None when it is
        to be made whatever serves. `ours(observation)` recognises our write on the platform although we were told
        that it was refused. Raises Overtaken; DriftError (31) when somebody else moved traffic meanwhile: theirs is
        not overwritten; RolloutFailed after too many conflicts; and the platform's own errors.
        """
        conflicts, silences, patient = 0, 0, SILENT_TRIES if self.persists else TRIES
        while True:
            try:
                reuse, self._unused = self._unused, False
                now = self.observe(ours, reuse=reuse)
                self._expect(now, expected, what)
                return self._once(call, now)
            except Conflict as error:
                conflicts += 1
                if conflicts >= TRIES:
                    raise RolloutFailed(
                        f"could not {what}: another writer changed the target {conflicts} times in a row",
                        hint="wait for the other run to end, then release again",
                    ) from error
            except Transient:
                silences += 1
                if conflicts + silences >= patient:
                    raise
            self._pause(silences)

    def _pause(self, silences: int) -> None:
        """A moment of a length of our own: two writers that conflict must not meet again at once. Longer and longer
        while the platform does not answer and what served has to be put back.
        """
        longest = PAUSE * 2**silences if self.persists else PAUSE
        seconds = random.uniform(0.0, min(longest, LONGEST_PAUSE))  # noqa: S311 - no secret
        if self.persists:
            self.patience.wait(seconds)
        else:
            time.sleep(seconds)

    def observe(self, ours: Callable[[Observation], bool] = lambda _: False, *, reuse: bool = False) -> Observation:
        """What is there now (`reuse`: was there last); Overtaken when it is not ours to write to any more."""
        now = self.last if reuse else self.patience.read(self.target.observe)
        self.last = now
        self.patience.read(self.lease.check)
        self.wrote = self.wrote or (now.stamp.epoch == self.lease.epoch != self._first_epoch and ours(now))
        self.check_fence(now)
        return now

    def check_fence(self, now: Observation) -> None:
        """Raises Overtaken when what was observed was written by somebody that we may not write over."""
        if not self._may_write(now.stamp.epoch):
            raise Overtaken(
                f"another run wrote to the target (epoch {now.stamp.epoch}, ours is {self.lease.epoch})",
                hint="look at `shipper status`, then release again",
            )

    def _may_write(self, found: int) -> bool:
        ours = self.lease.epoch
        if self.wrote:
            return found <= ours
        return found < ours and (self._seizing or found == self._first_epoch)

    def _once(self, call: Callable[[Observation, Stamp], Result], now: Observation) -> Result:
        before, self.doubtful = (self.wrote, self.doubtful), True
        try:
            result = self.patience.write(partial(call, now, self.stamp(now)))
        except PlatformError as error:
            wrote, self.doubtful = (True, True) if isinstance(error, Transient) else before
            self.wrote = wrote or error.partly
            raise
        except BaseException:  # left behind
            self.wrote = True
            raise
        self.wrote, self.doubtful = True, False
        return result

    def stamp(self, now: Observation) -> Stamp:
        """The stamp that goes along with a write: our epoch, and the highest number ever."""
        update = {"epoch": self.lease.epoch, "highest": max(now.stamp.highest, now.highest, self.number)}
        if self.quarantined is not None:
            return now.stamp.model_copy(update={**update, "quarantined": self.quarantined})
        return now.stamp.model_copy(update=update)

    @staticmethod
    def _expect(now: Observation, expected: Collection[Weights] | None, what: str) -> None:
        found = weights_of(now)
        if expected is not None and all(found != dict(weights) for weights in expected):
            raise DriftError(
                f"could not {what}: somebody else moved traffic meanwhile, now {show_weights(found)}",
                hint="look at `shipper status`, then release again",
            )


def weights_of(observation: Observation) -> dict[str, int]:
    """Revision name to percent of the traffic, as routed at that moment."""
    return {revision.name: revision.weight for revision in observation.serving}


def show_weights(weights: Weights) -> str:
    """Weights for people: "web-4 90 %, web-5 10 %", or "nothing serves"."""
    return ", ".join(f"{name} {weight} %" for name, weight in weights.items()) or "nothing serves"
