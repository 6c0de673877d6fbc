"""Run a pipeline: every stage once, as soon as its ingredients are there, independent ones side by side."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from shipper.errors import BugError, Interrupted, NotPutBack, NotRecorded, ShipperError
from shipper.model.all import All
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.model.event import StageFinished, StageStarted
from shipper.model.noun import Product
from shipper.pipeline.cancellation import RunCancellation, fresh, inside, interrupted
from shipper.pipeline.events import Events
from shipper.pipeline.journal import Journal
from shipper.pipeline.pipeline import Pipeline, check, pipeline_error
from shipper.pipeline.reporter import StageReporter
from shipper.pipeline.services import check_services
from shipper.pipeline.signature import Step
from shipper.pipeline.summary import summary_of
from shipper.pipeline.work import Outcome, Work, work_in_thread

ROUND = 0.1
"""Seconds that the main thread waits at most before it looks up: signals, time-outs."""

PATIENCE = 15.0
"""Seconds that the other stages get to stop after one has failed; their children are killed within 2 s."""

_SAYS_WHAT_SERVES = (NotPutBack, NotRecorded)
"""Errors that outrank every other reason for a run's end, also that somebody pressed Ctrl-C."""


def run(
    pipeline: Pipeline,
    *,
    seeds: Sequence[Product],
    services: Mapping[str, object],
    events: Events,
    cancel: Cancellation,
    clock: Clock,
    journal: Journal | None = None,
    patience: float = PATIENCE,
) -> Product:
    """The goal. `events.timings` has the stages' seconds, also after a failure.

    Services go to parameters by name and are checked against the parameter's protocol before anything starts; each
    stage gets a Reporter and a Cancellation of its own. The first failure cancels the others, waits for them, and
    is raised. Raises ShipperError only: what a stage did not foresee becomes BugError, chained to it.
    """
    check(pipeline)
    products = _seeded(pipeline, seeds)
    check_services(pipeline, services)
    with inside(cancel) as scope:
        running = _Run(pipeline, products, services, events, scope, clock, journal, patience)
        running.hold()
        running.raise_failure()
        return running.products[pipeline.goal]


@dataclass
class _Running:
    """A stage under way. `scope` is its own cancellation, `begun` ends with it."""

    step: Step
    scope: RunCancellation
    started: float
    begun: ExitStack
    timed_out: bool = False


@dataclass
class _Run:
    """The state of one run; only the main thread changes it. Stage threads talk to it through `done`."""

    pipeline: Pipeline
    products: dict[type[Product], Product]
    services: Mapping[str, object]
    events: Events
    scope: RunCancellation
    clock: Clock
    journal: Journal | None
    patience: float
    done: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)
    running: dict[str, _Running] = field(default_factory=dict)
    waiting: list[Step] = field(default_factory=list)
    errors: list[ShipperError] = field(default_factory=list)
    give_up_at: float | None = None

    def hold(self) -> None:
        """Until every stage has ended, or those that are left were given up."""
        self.waiting = list(self.pipeline.steps)
        with ExitStack() as scopes:
            while True:
                try:
                    if self._turn(scopes):
                        return
                except KeyboardInterrupt:
                    self.scope.cancel(interrupted())

    def raise_failure(self) -> None:
        """The error of the run, if there is one. What serves outranks that somebody pressed Ctrl-C."""
        reason = self.scope.error
        if not self.errors and (reason is None or self.pipeline.goal in self.products):
            return
        for error in self.errors:
            if isinstance(error, _SAYS_WHAT_SERVES):
                raise error
        if isinstance(reason, Interrupted) or not self.errors:
            raise fresh(reason) if reason is not None else interrupted()
        raise self.errors[0]

    def _turn(self, scopes: ExitStack) -> bool:
        """One round. True when nothing is left to wait for."""
        self._start_ready(scopes)
        if not self.running:
            return True
        with suppress(queue.Empty):
            self._collect(self.done.get(timeout=ROUND))
        self._watch_timeouts()
        return self._given_up()

    def _start_ready(self, scopes: ExitStack) -> None:
        for step in tuple(self.waiting):
            may_start = not self.scope.cancelled or (step.options.even_if_cancelled and not self.errors)
            if may_start and all(product in self.products for product in self.pipeline.inputs_of(step)):
                self.waiting.remove(step)
                self._start(step, scopes)

    def _start(self, step: Step, scopes: ExitStack) -> None:
        scope = scopes.enter_context(inside(self.scope))
        begun = ExitStack()
        begun.enter_context(self.scope.unfinished(step.options.unfinished))
        self.running[step.name] = _Running(step, scope, self.clock.monotonic(), begun)
        self.events.emit(StageStarted(stage=step.name))
        reporter = StageReporter(self.events, step.name)
        work = Work(step, self._ingredients(step), self._services(step, reporter, scope), reporter, self.journal)
        context = contextvars.copy_context()
        # A daemon: a stage that cannot be stopped must not keep the process from ending.
        threading.Thread(
            target=context.run, args=(work_in_thread, work, self.done), name=f"stage-{step.name}", daemon=True
        ).start()

    def _ingredients(self, step: Step) -> dict[str, Any]:
        return {
            ingredient.name: self.products[ingredient.kind]
            if ingredient.role == "product"
            else All(self.products[kind] for kind in self.pipeline.inputs_of(step) if ingredient.takes(kind))
            for ingredient in step.ingredients
            if ingredient.role != "service"
        }

    def _services(self, step: Step, reporter: StageReporter, scope: RunCancellation) -> dict[str, object]:
        own: dict[type[Any], object] = {Reporter: reporter, Cancellation: scope}
        return {
            ingredient.name: own[ingredient.kind] if ingredient.kind in own else self.services[ingredient.name]
            for ingredient in step.services
        }

    def _collect(self, outcome: Outcome) -> None:
        running = self.running.pop(outcome.step.name, None)
        if running is None:
            return  # given up before
        if outcome.product is not None and not running.timed_out:
            self.products[outcome.step.product] = outcome.product
            self._finished(running, "reused" if outcome.reused else "done", summary_of(outcome.product))
        elif self._is_echo(outcome.error, running):
            self._finished(running, "cancelled", "stopped")
        else:
            self._failed(running, outcome.error)

    def _is_echo(self, error: BaseException | None, running: _Running) -> bool:
        """Whether a stage ended because it was cancelled with the run.

        A killed child makes its stage raise an error of its own (BuildError): an echo too. What serves is none.
        """
        if not self.scope.cancelled or running.timed_out:
            return False
        return isinstance(error, ShipperError) and not isinstance(error, (*_SAYS_WHAT_SERVES, BugError))

    def _failed(self, running: _Running, error: BaseException | None) -> None:
        failure = self._as_ours(running, error)
        self.errors.append(failure)
        self._finished(running, "failed", failure.message)
        self.scope.cancel(failure)

    def _as_ours(self, running: _Running, error: BaseException | None) -> ShipperError:
        name = running.step.name
        if running.timed_out and not isinstance(error, _SAYS_WHAT_SERVES):
            return _late(running.step)
        if isinstance(error, ShipperError):
            return error
        # Where traffic may have moved, nobody knows what serves: that is more than a bug.
        meaning = running.step.options.unfinished
        kind = meaning if issubclass(meaning, _SAYS_WHAT_SERVES) else BugError
        failure = kind(
            f"stage {name} failed in a way that shipper did not foresee: {type(error).__name__}: {error}",
            hint="`shipper status` shows what serves; please report this",
            cause="bug",
        )
        failure.__cause__ = error
        return failure

    def _finished(self, running: _Running, status: Any, summary: str) -> None:
        running.begun.close()
        seconds = self.clock.monotonic() - running.started
        self.events.emit(StageFinished(stage=running.step.name, status=status, seconds=seconds, summary=summary))

    def _watch_timeouts(self) -> None:
        now = self.clock.monotonic()
        for running in self.running.values():
            limit = running.step.options.timeout
            if limit is not None and not running.timed_out and now - running.started >= limit:
                running.timed_out = True
                running.scope.cancel(_late(running.step))
                # It may be stuck for good: the run ends with this error even if its thread does not.
                self.give_up_at = self.give_up_at or time.monotonic() + self.patience

    def _given_up(self) -> bool:
        """Whether what still runs has had its time to stop."""
        if self.give_up_at is None and self.scope.cancelled:
            left = self.scope.remaining
            self.give_up_at = time.monotonic() + (self.patience if left is None else left)
        if self.scope.remaining is not None and self.give_up_at is not None:
            self.give_up_at = min(self.give_up_at, time.monotonic() + self.scope.remaining)
        if self.give_up_at is None or time.monotonic() < self.give_up_at:
            return False
        for name, running in tuple(self.running.items()):
            if running.scope.cancelled:
                del self.running[name]
                self._abandoned(running)
        self.give_up_at = None
        return not self.running

    def _abandoned(self, running: _Running) -> None:
        """A stage that could not be stopped: what that means for the release, the stage has said beforehand."""
        name = running.step.name
        error = _late(running.step) if running.timed_out else _unstoppable(running.step)
        self.errors.append(error)
        self._finished(running, "failed", error.message)
        StageReporter(self.events, name).remark(f"{name} did not stop when it was told to; it was left behind")
        self.scope.cancel(error)


def _seeded(pipeline: Pipeline, seeds: Sequence[Product]) -> dict[type[Product], Product]:
    given: dict[type[Product], Product] = {type(seed): seed for seed in seeds}
    missing = [kind.__name__ for kind in pipeline.seeds if kind not in given]
    if missing:
        raise pipeline_error(pipeline.name, [f"the seed {name} was not given" for name in missing])
    return {kind: given[kind] for kind in pipeline.seeds}


def _late(step: Step) -> ShipperError:
    limit = step.options.timeout or 0.0
    return step.options.unfinished(
        f"{step.name} did not end within {limit:g} s", hint="`shipper release -v` shows what it waits for"
    )


def _unstoppable(step: Step) -> ShipperError:
    return step.options.unfinished(
        f"{step.name} did not stop in time and was left behind", hint="`shipper status` shows what serves"
    )
