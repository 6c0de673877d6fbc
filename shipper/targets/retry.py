"""The one place where a platform call is made again: idempotent calls that raised Transient."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shipper.errors import Transient

Result = TypeVar("Result")


def retry_transient(call: Callable[[], Result], *, attempts: int = 5, first_wait: float = 0.2) -> Result:
    """`call()`, made again up to `attempts` times in all while it raises Transient.

    Waits `first_wait` seconds, doubling to at most 5 s, with jitter. Only for calls that may safely run twice.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    retrying = Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=first_wait, max=5),
        reraise=True,
    )
    return retrying(call)
