"""What one attempt is about and what it has done so far: what putting back, and being overtaken, start from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shipper.errors import UsageError
from shipper.model import Deployable, Observation, Release
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.rollout.patience import rollout_patience
from shipper.rollout.writes import Writer, weights_of
from shipper.targets import Replaces, SplitsTraffic, Target


@dataclass(frozen=True)
class Plan:
    """What is to be done, decided before the first write. `stable`: revision name to percent, what is put back to.

    `trusted` are the revisions that were verified here, oldest first.
    `records` are the releases of the stable revisions, by revision name: what a revision is started or applied again
    with. `by_whom` asks who overtook this run; it raises nothing of ours. `unreached` is why this machine does not get
    to what a rollback takes the traffic from; empty when it does, or nobody has looked.
    """

    deployable: Deployable
    release: Release
    before: Observation
    stable: Mapping[str, int]
    trusted: Sequence[str]
    records: Mapping[str, Release]
    by_whom: Callable[[], str]
    unreached: str = ""


class Attempted:
    """Knows what served before, what was created and whether traffic moved."""

    def __init__(self, plan: Plan, writer: Writer, report: Reporter, cancel: Cancellation, clock: Clock) -> None:
        self.plan = plan
        self.release = plan.release
        self.settings = plan.release.settings
        self.target: Target = writer.target
        self.writer = writer
        self.report = report
        self.cancel = cancel
        self.clock = clock
        self.patience = rollout_patience(cancel, clock, self.settings.rollout.deadline)
        self.weights: Mapping[str, int] = weights_of(plan.before)
        """What serves, as this run has found or set it."""
        self.new = ""
        """The revision that this run brings."""
        self.moving = False
        """Whether a write was begun that moves traffic."""
        self.moved = False
        """Whether traffic is known to have moved."""
        self.started = False
        """Whether what this run brings is an earlier release's, which was stopped."""
        self.stopped: tuple[str, ...] = ()
        """The revisions that this run has stopped, to make room."""

    def splitting(self) -> SplitsTraffic:
        """The target, which must. Raises UsageError."""
        if not isinstance(self.target, SplitsTraffic):
            raise UsageError(
                f"{self.release.strategy} needs a target that splits traffic; {self.target.kind} replaces instead",
                hint=f"strategies of {self.target.kind}: {', '.join(self.target.traits.strategies)}",
            )
        return self.target

    def replacing(self) -> Replaces:
        """The target, which must. Raises UsageError."""
        if not isinstance(self.target, Replaces):
            raise UsageError(
                f"{self.release.strategy} needs a target that replaces what serves; {self.target.kind} does not",
                hint=f"strategies of {self.target.kind}: {', '.join(self.target.traits.strategies)}",
            )
        return self.target

    def has_moved(self, now: Observation) -> bool:
        """Towards what we brought; traffic that somebody else moved elsewhere is theirs."""
        if self.stopped and not now.serving:
            return True
        return weights_of(now).get(self.new, 0) != weights_of(self.plan.before).get(self.new, 0)

    def serves(self, now: Observation) -> bool:
        """Whether what this run brought has traffic; a write that was left behind has not told its revision's name."""
        return any(found.name == self.new or found.release == self.release.id for found in now.serving)

    @property
    def replaces(self) -> bool:
        """Whether the platform moves the traffic, and not this run."""
        return self.release.strategy == "rolling" or not isinstance(self.target, SplitsTraffic)

    @property
    def nothing_before(self) -> bool:
        """This is the first release: putting back is taking everything away."""
        before = self.plan.before
        return not self.plan.stable and not before.revisions and not before.stamp.highest

    @property
    def brought_what_is_stable(self) -> bool:
        """This run gave all traffic to what it would be put back to, as a rollback in a dead run's canary does."""
        return self.moved and list(self.plan.stable) == [self.new]
