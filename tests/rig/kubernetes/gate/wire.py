"""The pieces of HTTP/1.1 that the gate needs beside those of killing_http.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.rig.killing_http import Head, Reader, body_of

LARGEST_SEEN = 4 << 20
"""Bytes of a request's body that are read before it is passed on: the API server itself takes 3 MiB."""
_PIECE = 1 << 16

Stream = tuple["Listening", asyncio.StreamWriter]
Open = Callable[[], Awaitable[Stream]]


class Listening(Reader):
    """A reader that also tells when the other side has ended or was killed, although nobody is reading."""

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


async def short_body(reader: asyncio.StreamReader, head: Head) -> bytes | None:
    """The body, unless it is long, its length is not known, or the client waits to be asked for it."""
    if head.chunked or (head.length or 0) > LARGEST_SEEN or "expect" in head.headers:
        return None
    return await reader.readexactly(head.length or 0)


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The contents of a chunked body, as the sender cut them."""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


def chunk(content: bytes) -> bytes:
    """One chunk; of nothing, the end of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(content), content)


async def everything(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Raw bytes until the end."""
    while piece := await reader.read(_PIECE):
        yield piece


async def pass_on(pieces: AsyncIterator[bytes], to: asyncio.StreamWriter) -> None:
    async for piece in pieces:
        await send(to, piece)


async def send(to: asyncio.StreamWriter, content: bytes) -> None:
    to.write(content)
    await to.drain()


async def whole(reader: asyncio.StreamReader, head: Head, *, has_body: bool) -> bytes:
    """The rest of an answer as it came, chunk marks included."""
    if not has_body:
        return b""
    return b"".join([piece async for piece in body_of(reader, head, of_answer=True)])
