"""Several questions at once: an API server is 20 to 80 ms away, and they do not depend on each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

MOST = 16
"""As many as the API server's connections that are kept: own manifests may be hundreds."""


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The results, in the order of the calls; the first error is raised, when all have ended. At most MOST at a time.

    Daemon threads: a run that is told to stop does not wait for an answer that it has no use for, and neither does
    Ctrl-C, which comes to the caller.
    """
    if len(calls) < 2:
        return [call() for call in calls]
    results: list[Any] = [None] * len(calls)
    errors: list[Exception | None] = [None] * len(calls)

    left = iter(range(len(calls)))
    taking = threading.Lock()

    def carry_out() -> None:
        while True:
            with taking:
                index = next(left, None)
            if index is None:
                return
            try:
                results[index] = calls[index]()
            except Exception as error:  # noqa: BLE001 - raised again by the caller
                errors[index] = error

    threads = [threading.Thread(target=carry_out, daemon=True) for _ in range(min(MOST, len(calls)) - 1)]
    for thread in threads:
        thread.start()
    carry_out()
    for thread in threads:
        thread.join()
    for error in errors:
        if error is not None:
            raise error
    return results
