"""One stage's work in its thread: look into the journal, else cook; then tell and remember."""

from __future__ import annotations

import logging
import queue
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipper.model.evidence import Evidence
from shipper.model.noun import Product
from shipper.pipeline.journal import Journal, key_of
from shipper.pipeline.reporter import StageReporter, current_stage
from shipper.pipeline.signature import Step
from shipper.pipeline.stage import call_with_services

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a stage's thread hands back."""

    step: Step
    product: Product | None = None
    error: BaseException | None = None
    reused: bool = False


@dataclass(frozen=True)
class Work:
    """Everything that a stage's thread needs."""

    step: Step
    ingredients: Mapping[str, Any]
    services: Mapping[str, object]
    reporter: StageReporter
    journal: Journal | None

    def do(self) -> Outcome:
        """The product, from the journal or from the stage."""
        key = self._key()
        product = None if key is None else self._reusable(key)
        reused = product is not None
        if product is None:
            product = self._cook()
        if isinstance(product, Evidence) and product.digest() not in self.reporter.told:
            self.reporter.evidence(product)
        if key is not None and not reused:
            self._remember(key, product)
        return Outcome(self.step, product=product, reused=reused)

    def _cook(self) -> Product:
        product = self.step.function(**self.ingredients, **self.services)
        if type(product) is not self.step.product:
            raise TypeError(f"returned {type(product).__name__} instead of {self.step.product.__name__}")
        return product

    def _key(self) -> str | None:
        """None when the stage is not reused, or when its world is unknown: the stage itself then says why."""
        reuse = self.step.options.reuse
        if self.journal is None or reuse is None:
            return None
        try:
            world = call_with_services(reuse.world, self.services)
        except Exception as error:  # noqa: BLE001 - not reused, and the stage meets the same problem itself
            _log.debug("%s: its world is unknown: %s", self.step.name, error)
            return None
        inputs = {name: _digests(value) for name, value in self.ingredients.items()}
        return key_of(self.step.name, self.step.options.version, inputs, str(world))

    def _reusable(self, key: str) -> Product | None:
        reuse = self.step.options.reuse
        assert self.journal is not None
        assert reuse is not None
        product = self.journal.find(key, self.step.product)
        if product is None:
            return None
        try:
            holds = bool(call_with_services(reuse.still_true, self.services, product))
        except Exception as error:  # noqa: BLE001 - not known to be true is not true
            _log.debug("%s: cannot tell whether it is still true: %s", self.step.name, error)
            holds = False
        return product if holds else None

    def _remember(self, key: str, product: Product) -> None:
        assert self.journal is not None
        try:
            self.journal.remember(key, product)
        except (OSError, ValueError) as error:
            self.reporter.remark(f"{self.step.name} was not kept for reuse: {error}")


def work_in_thread(work: Work, done: queue.SimpleQueue[Outcome]) -> None:
    """The thread's body: exactly one outcome goes to `done`."""
    current_stage.set(work.step.name)
    try:
        done.put(work.do())
    except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread decides
        done.put(Outcome(work.step, error=error))


def _digests(value: Any) -> Any:
    if isinstance(value, Product):
        return [type(value).__name__, value.digest()]
    return [[type(item).__name__, item.digest()] for item in value]
