"""What a stage says about itself besides its signature. A decorated stage stays the plain function that it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from shipper.errors import ShipperError, UnreachableError

Function = TypeVar("Function", bound=Callable[..., Any])

_ATTRIBUTE = "__shipper_stage__"


def _always(product: object) -> bool:
    return True


@dataclass(frozen=True)
class Reuse:
    """When the journal may answer instead of the stage.

    `world(**services)` names what the result depends on besides the stage's inputs, such as a database digest.
    `still_true(product, **services)` says whether an earlier product holds now, such as "the image is still there".
    Both are called with the services that they name, out of those that the stage takes.
    """

    world: Callable[..., str]
    still_true: Callable[..., bool] = _always


@dataclass(frozen=True)
class StageOptions:
    """`version`: raise it when the same inputs give another product. `timeout`: seconds.

    `unfinished`: the error that it means for the release when the stage does not end in time or cannot be stopped.
    `even_if_cancelled`: started after a signal too, once its ingredients are there: what was done must be recorded.
    """

    version: int = 1
    timeout: float | None = None
    reuse: Reuse | None = None
    unfinished: type[ShipperError] = UnreachableError
    even_if_cancelled: bool = False


def stage(
    *,
    version: int = 1,
    timeout: float | None = None,
    reuse: Reuse | None = None,
    unfinished: type[ShipperError] = UnreachableError,
    even_if_cancelled: bool = False,
) -> Callable[[Function], Function]:
    """Decorate a stage with its options; a function without this decorator is a stage with the defaults."""
    options = StageOptions(version, timeout, reuse, unfinished, even_if_cancelled)

    def keep(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, options)
        return function

    return keep


def options_of(function: Callable[..., Any]) -> StageOptions:
    """The options of a stage, decorated or not."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, StageOptions) else StageOptions()


def call_with_services(function: Callable[..., Any], services: Mapping[str, object], *leading: object) -> Any:
    """`function(*leading, **services)` with only the services that it names."""
    return function(*leading, **{name: services[name] for name in services_named(function, len(leading))})


def services_named(function: Callable[..., Any], leading: int) -> tuple[str, ...]:
    """The parameters after the first `leading` ones."""
    return tuple(inspect.signature(function).parameters)[leading:]
