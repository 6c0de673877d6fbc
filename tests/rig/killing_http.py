"""A forwarding HTTP/1.1 proxy: one connection there for each one here, and a say before and after each request.

It understands as much of HTTP as it takes to tell requests apart (RFC 9112: lengths, chunks, keep-alive, answers
without a body, 1xx) and what Docker adds (connections that are upgraded to a raw stream).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

_LARGEST_SEEN = 1 << 20
"""Bytes: a longer body is passed on unseen."""
_PIECE = 1 << 16
_GONE = (OSError, asyncio.IncompleteReadError)

_T = TypeVar("_T")
Open = Callable[[], Awaitable[tuple["Reader", asyncio.StreamWriter]]]


class Reader(asyncio.StreamReader):
    """A reader that also tells when the other side has ended, although nobody is reading."""

    def __init__(self) -> None:
        super().__init__(limit=_LARGEST_SEEN)
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()


@dataclass(frozen=True)
class Head:
    """The first line and the headers, as they came."""

    raw: bytes
    first: tuple[str, str, str]
    headers: Mapping[str, str]

    @property
    def length(self) -> int | None:
        return int(self.headers["content-length"]) if "content-length" in self.headers else None

    @property
    def chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def closing(self) -> bool:
        return "close" in self.headers.get("connection", "").lower()


@dataclass(frozen=True)
class Asked:
    """A request. `body` is there when it was short enough to look at."""

    method: str
    url: SplitResult
    headers: Mapping[str, str]
    body: bytes | None
    at: float
    """When it had come, by `time.monotonic()`."""


@dataclass(frozen=True)
class Answered:
    """The whole answer to a request that `Say.before` wanted to hear the end of; of a raw stream what came in it."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with a request, in this order."""

    delay: float = 0.0
    """Seconds until it is passed on."""
    refuse: int | None = None
    """Answered with this status instead of being passed on."""
    cut: bool = False
    """The connection ends instead."""
    forget: bool = False
    """Passed on and done; the connection ends instead of the answer."""


class Say(Protocol):
    """What a proxy asks about every request. Whoever raises an OSError ends the connection."""

    def trouble(self, asked: Asked) -> Trouble | None:
        """Whether something is to go wrong."""

    def before(self, asked: Asked) -> object | None:
        """The request is there and nothing of it was passed on. Something returned: `after` wants to hear the end."""

    async def after(self, asked: Asked, what: object, answered: Answered) -> None:
        """The whole answer is there; the client has none of it, but for the head of an upgraded connection."""


@dataclass
class Proxy:
    """Serves connections by passing on what comes. `say` is asked anew for every connection."""

    open: Open
    say: Callable[[], Say]
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def protocol(self) -> asyncio.StreamReaderProtocol:
        """For `create_server` and `create_unix_server`."""
        return asyncio.StreamReaderProtocol(Reader(), self._serve)

    async def close(self) -> None:
        """End every connection."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            with contextlib.suppress(*_GONE, asyncio.CancelledError):  # cancelled by nobody but `close`
                there_reader, there_writer = await self.open()
                try:
                    await _Connection(reader, writer, there_reader, there_writer, self.say()).serve()
                finally:
                    there_writer.close()
        finally:
            writer.close()
            self._running.discard(task)


@dataclass
class _Connection:
    here: Reader
    back: asyncio.StreamWriter
    there: Reader
    on: asyncio.StreamWriter
    say: Say

    async def serve(self) -> None:
        while (head := await read_head(self.here)) is not None and await self._exchange(head):
            pass

    async def _exchange(self, head: Head) -> bool:
        """One request and its answer; whether the connection can go on."""
        seen = await self._short_body(head)
        asked = Asked(head.first[0], urlsplit(head.first[1]), head.headers, seen, time.monotonic())
        trouble = self.say.trouble(asked) or Trouble()
        if trouble.cut or trouble.refuse is not None:
            return await self._refused(trouble) and seen is not None
        what = self.say.before(asked)
        await asyncio.sleep(trouble.delay)
        await _send(self.on, head.raw + (seen or b""))
        unseen = None if seen is not None else asyncio.create_task(_pass_on(body_of(self.here, head), self.on))
        try:
            return await self._answer(asked, what, trouble, unseen)
        finally:
            if unseen is not None:
                unseen.cancel()
                await asyncio.gather(unseen, return_exceptions=True)

    async def _refused(self, trouble: Trouble) -> bool:
        """Whether the connection goes on, although the request was not passed on."""
        await asyncio.sleep(trouble.delay)
        if trouble.cut:
            return False
        await _send(self.back, b"HTTP/1.1 %d Trouble\r\nContent-Length: 0\r\n\r\n" % (trouble.refuse or 500))
        return True

    async def _answer(self, asked: Asked, what: object, trouble: Trouble, unseen: asyncio.Task[None] | None) -> bool:
        heard = what is not None or trouble.forget
        answer = await (self._final_head() if heard else self._unless_gone(self._final_head()))
        status = int(answer.first[1])
        if status == 101:
            await self._upgraded(asked, what, trouble, answer)
            return False
        has_body = asked.method != "HEAD" and status not in (204, 304)
        pieces = body_of(self.there, answer, of_answer=True) if has_body else _exactly(self.there, 0)
        if heard:
            body = b"".join([piece async for piece in pieces])
            if what is not None:
                await self.say.after(asked, what, Answered(status, unchunked(body) if answer.chunked else body))
            if trouble.forget:
                return False
            await _send(self.back, answer.raw + body)
        else:
            await _send(self.back, answer.raw)
            await self._unless_gone(_pass_on(pieces, self.back))
        if unseen is not None:
            await unseen
        delimited = not has_body or answer.chunked or answer.length is not None
        return delimited and not answer.closing

    async def _upgraded(self, asked: Asked, what: object, trouble: Trouble, answer: Head) -> None:
        """Raw bytes both ways until the other side ends. Of a write its output waits until that is over."""
        await _send(self.back, answer.raw)
        out = asyncio.create_task(_pass_on(_everything(self.here), self.on, end=True))
        try:
            if what is None:
                await _pass_on(_everything(self.there), self.back, end=True)
                return
            body = b"".join([piece async for piece in _everything(self.there)])
            await self.say.after(asked, what, Answered(101, body))
            if not trouble.forget:
                await _send(self.back, body)
        finally:
            out.cancel()
            await asyncio.gather(out, return_exceptions=True)

    async def _final_head(self) -> Head:
        """The head of the answer; those of 1xx before it are passed on, except 101, which is one."""
        while (head := await read_head(self.there)) is not None:
            if head.first[1] == "101" or not head.first[1].startswith("1"):
                return head
            await _send(self.back, head.raw)
        raise ConnectionResetError

    async def _unless_gone(self, doing: Awaitable[_T]) -> _T:
        """Do it, but give up when the client has ended: nobody else waits for an answer without an end."""
        work = asyncio.ensure_future(doing)
        ended = asyncio.create_task(self.here.ended.wait())
        try:
            await asyncio.wait({work, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ConnectionResetError
            return work.result()
        finally:
            for task in (work, ended):
                task.cancel()

    async def _short_body(self, head: Head) -> bytes | None:
        """The body, unless it is long or its length is not known."""
        if head.chunked or (head.length or 0) > _LARGEST_SEEN:
            return None
        return await self.here.readexactly(head.length or 0)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next request or answer; None at the end of the connection. Raises OSError for what is no HTTP."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    except asyncio.LimitOverrunError as error:
        raise ConnectionAbortedError("a head without an end") from error
    first, *lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    words = [*first.split(" ", 2), "", ""]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Head(raw, (words[0], words[1], words[2]), headers)


async def body_of(reader: asyncio.StreamReader, head: Head, *, of_answer: bool = False) -> AsyncIterator[bytes]:
    """The body in pieces, chunk marks included. An answer without a length ends with its connection."""
    if head.chunked:
        while True:
            size = await reader.readuntil(b"\r\n")
            yield size
            if int(size.split(b";")[0], 16) == 0:
                break
            async for piece in _exactly(reader, int(size.split(b";")[0], 16) + 2):
                yield piece
        while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
            yield trailer
        yield trailer
    elif head.length is not None:
        async for piece in _exactly(reader, head.length):
            yield piece
    elif of_answer:
        async for piece in _everything(reader):
            yield piece


def unchunked(body: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        content, body = content + body[:length], body[length + 2 :]
    return content


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length > 0:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise ConnectionResetError
        length -= len(piece)
        yield piece


async def _everything(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(_PIECE):
        yield piece


async def _pass_on(pieces: AsyncIterator[bytes], to: asyncio.StreamWriter, *, end: bool = False) -> None:
    try:
        async for piece in pieces:
            await _send(to, piece)
    finally:
        if end and to.can_write_eof():
            to.write_eof()


async def _send(to: asyncio.StreamWriter, content: bytes) -> None:
    to.write(content)
    await to.drain()
