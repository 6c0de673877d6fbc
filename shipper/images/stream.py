"""A blocking stream of the engine, followed without ever being deaf to cancellation."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from shipper.model.context import Cancellation

Item = TypeVar("Item")

_TURN = 0.1
"""Seconds between two looks at the cancellation."""


class _End:
    """The last thing that a stream says: why it ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def follow(start: Callable[[], Iterable[Item]], cancel: Cancellation, *, ahead: int = 4) -> Iterator[Item]:
    """The items of `start()`, which runs in a thread of its own and is at most `ahead` items ahead of its reader.

    Raises what `start()` raises, and what `cancel.check()` raises within 0.1 s of a cancellation: a thread that
    waits for the engine at that moment is left behind (a daemon; it hangs up at the next item or when we end).
    """
    items: queue.Queue[Item | _End] = queue.Queue(maxsize=ahead)
    abandoned = threading.Event()
    thread = threading.Thread(target=_feed, args=(start, items, abandoned), name="engine stream", daemon=True)
    thread.start()
    try:
        while True:
            cancel.check()
            try:
                item = items.get(timeout=_TURN)
            except queue.Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        abandoned.set()


def in_blocks(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of about `size`: the engine sends 32 kB at a time, a hand-over each is slow."""
    block = bytearray()
    for chunk in chunks:
        block += chunk
        if len(block) >= size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def awaited(call: Callable[[], Item], cancel: Cancellation) -> Item:
    """The result of one blocking call, likewise: cancellation does not wait for it."""

    def once() -> Iterator[Item]:
        yield call()

    return next(follow(once, cancel))


def _feed(start: Callable[[], Iterable[Item]], items: queue.Queue[Item | _End], abandoned: threading.Event) -> None:
    end = _End(None)
    try:
        for item in start():
            if not _put(items, item, abandoned):
                return
    except BaseException as error:  # noqa: BLE001 - it is raised again, in the reader's thread
        end = _End(error)
    _put(items, end, abandoned)


def _put(items: queue.Queue[Item | _End], item: Item | _End, abandoned: threading.Event) -> bool:
    while not abandoned.is_set():
        try:
            items.put(item, timeout=_TURN)
        except queue.Full:
            continue
        return True
    return False
