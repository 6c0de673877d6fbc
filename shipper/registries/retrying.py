"""Trying again while a registry does not answer, without ever being deaf to cancellation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shipper.errors import Transient, UnreachableError
from shipper.images.stream import awaited
from shipper.model.context import Cancellation
from shipper.registries.names import Repository

Result = TypeVar("Result")

ATTEMPTS = 4
FIRST_WAIT = 0.5
"""Seconds before the second attempt, then doubling, with jitter: together at most 4 s. The engine itself has tried
each layer five times by then."""


def retried(call: Callable[[], Result], place: Repository, cancel: Cancellation) -> Result:
    """`call()`, made again a few times while the registry does not answer. Cancellation ends a wait at once."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    retrying = Retrying(
        retry=retry_if_exception_type((Transient, UnreachableError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=FIRST_WAIT, max=5),
        sleep=lambda seconds: paused(seconds, cancel),
        reraise=True,
    )
    try:
        result: Result = retrying(awaited, call, cancel)
    except Transient as error:
        raise UnreachableError(
            f"the registry {place.registry} could not be pushed to, {ATTEMPTS} times: {error}",
            hint="try again; nothing was deployed",
        ) from error
    return result


def paused(seconds: float, cancel: Cancellation) -> None:
    """Wait so long; raises at once what a cancellation means."""
    cancel.wait(seconds)
    cancel.check()
