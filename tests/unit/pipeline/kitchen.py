"""Small products, services and a recorder, for the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from shipper.model import Event, Evidence, Product
from shipper.pipeline import Events, Journal, Pipeline, RunCancellation, WallClock, run

Kind = TypeVar("Kind", bound=Event)
ABOUT = "sha256:" + "0" * 64


class Flour(Product):
    grams: int = 500


class Water(Product):
    grams: int = 300


class Dough(Product):
    grams: int


class Bread(Product):
    text: str


class Weighing(Evidence):
    pass


class Tasting(Evidence):
    pass


@runtime_checkable
class Oven(Protocol):
    @property
    def temperature(self) -> float: ...

    def bake(self, grams: int) -> str: ...


class Hearth:
    """An oven that counts."""

    def __init__(self) -> None:
        self.baked = 0

    temperature = 230.0

    def bake(self, grams: int) -> str:
        self.baked += 1
        return f"bread of {grams} g"


class Recorder:
    """A sink that keeps everything."""

    name = "the recorder"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = 0

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]


class Kitchen:
    """Runs pipelines and remembers what was told."""

    def __init__(self, journal: Path | None = None) -> None:
        self.told = Recorder()
        self.cancel = RunCancellation()
        self.clock = WallClock()
        self.events = Events("01RUN", [self.told], self.clock)
        self.journal = Journal(journal) if journal is not None else None

    def cook(self, pipeline: Pipeline, *seeds: Product, patience: float = 5.0, **services: Any) -> Product:
        return run(
            pipeline,
            seeds=seeds,
            services=services,
            events=self.events,
            cancel=self.cancel,
            clock=self.clock,
            journal=self.journal,
            patience=patience,
        )

    def endings(self) -> dict[str, str]:
        from shipper.model import StageFinished

        return {event.stage: event.status for event in self.told.of(StageFinished)}


Stage = Callable[..., Any]
Seeds = Sequence[type[Product]]
