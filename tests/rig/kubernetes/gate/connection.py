"""One client's connection: each request is understood, held or failed if that was asked for, and passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.rig.killing_http import Head, body_of, read_head
from tests.rig.kubernetes.gate import statuses
from tests.rig.kubernetes.gate.requests import Request, understand
from tests.rig.kubernetes.gate.state import Expiry, Fault, Hold, Space, State, Write, unless_gone
from tests.rig.kubernetes.gate.wire import (
    Listening,
    Open,
    chunk,
    chunks,
    everything,
    pass_on,
    send,
    short_body,
    whole,
)

_WATCH_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Asked:
    """A request on its way. `body`: None when it goes by unseen."""

    head: Head
    body: bytes | None
    request: Request
    space: Space
    write: Write | None


@dataclass
class Connection:
    """Client and API server, one connection there for the one here. Whatever ends one ends the other."""

    here: Listening
    back: asyncio.StreamWriter
    open: Open
    state: State
    there: Listening = field(init=False)
    on: asyncio.StreamWriter = field(init=False)

    async def serve(self) -> None:
        """Until one side ends. Raises OSError or EOFError when that is in the middle of something."""
        self.there, self.on = await self.open()
        try:
            while (head := await unless_gone(self.there.ended, read_head(self.here))) is not None:
                if not await self._exchange(head):
                    return
        finally:
            self.on.close()

    async def _exchange(self, head: Head) -> bool:
        """One request and its answer; whether the connection can go on."""
        body = await short_body(self.here, head)
        request = understand(head.first[0], urlsplit(head.first[1]), head.headers, body)
        if request is None:
            return await self._forward(head, body)
        space = self.state.space(request.namespace)
        asked = Asked(head, body, request, space, space.count(request))
        try:
            return await self._about(asked)
        except BaseException:
            if asked.write is not None and not asked.write.ended:
                asked.write.ended = "gone"
            raise

    async def _about(self, asked: Asked) -> bool:
        await self._wait(asked.space.seconds)
        fault = asked.space.fault(asked.request)
        if fault is not None and fault.how == "slow":
            await self._wait(fault.seconds)
        elif fault is not None and fault.how != "cut-after" and not fault.after:
            return await self._failed(asked, fault)
        if asked.write is not None and (hold := asked.space.held(asked.write, "before")):
            await self._held(hold)
            if not hold.carry:
                asked.write.ended = "dropped"
                return False
        if asked.request.watch:
            return await self._watch(asked)
        return await self._forward(asked.head, asked.body, asked, fault)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await unless_gone(self.here.ended, asyncio.sleep(seconds))

    async def _held(self, hold: Hold) -> None:
        hold.arrived.set()
        try:
            await unless_gone(self.here.ended, hold.released.wait())
        finally:
            hold.released.set()  # a client that is gone holds nobody else

    async def _failed(self, asked: Asked, fault: Fault) -> bool:
        """Not passed on."""
        if asked.write is not None:
            asked.write.ended = "cut" if fault.how == "cut" else "refused"
            asked.write.status = fault.how if isinstance(fault.how, int) else None
        if not isinstance(fault.how, int):
            return False
        await send(self.back, statuses.answer(fault.how, asked.request))
        return asked.body is not None

    async def _forward(
        self, head: Head, body: bytes | None, asked: Asked | None = None, fault: Fault | None = None
    ) -> bool:
        async with self._passed_on(head, body) as unseen:
            answer = await unless_gone(self.here.ended, self._final_head())
            code = int(answer.first[1])
            if code == 101:
                await self._upgraded(answer)
                return False
            has_body = head.first[0] != "HEAD" and code not in (204, 304)
            if asked is not None and (asked.write is not None or fault is not None):
                rest = await unless_gone(self.here.ended, whole(self.there, answer, has_body=has_body))
                said = await self._after(asked, fault, code, answer.raw + rest)
                if said is None:
                    return False
                await send(self.back, said)
            else:
                await send(self.back, answer.raw)
                if has_body:
                    pieces = body_of(self.there, answer, of_answer=True)
                    await unless_gone(self.here.ended, pass_on(pieces, self.back))
            if unseen is not None:
                await unless_gone(self.here.ended, unseen)
        delimited = not has_body or answer.chunked or answer.length is not None
        return delimited and not answer.closing

    async def _after(self, asked: Asked, fault: Fault | None, code: int, answer: bytes) -> bytes | None:
        """It was carried out and the client knows nothing of it; what it is told, None: its connection ends."""
        if (write := asked.write) is not None:
            write.status = code
            if hold := asked.space.held(write, "after"):
                await self._held(hold)
                if not hold.carry:
                    write.ended = "dropped"
                    return None
        if fault is None or fault.how == "slow":
            return answer
        if write is not None:
            write.ended = "cut" if fault.how == "cut-after" else "refused"
        return statuses.answer(fault.how, asked.request) if isinstance(fault.how, int) else None

    async def _watch(self, asked: Asked) -> bool:
        """An answer without an end, passed on event by event, until somebody has enough."""
        version = asked.request.resource_version
        if version.isdigit() and 0 < int(version) < asked.space.oldest:
            event = statuses.expired(int(version), asked.space.oldest)
            await send(self.back, _WATCH_HEAD + chunk(event) + chunk(b""))
            return True
        ended: asyncio.Future[Expiry] = asyncio.get_running_loop().create_future()
        async with self._passed_on(asked.head, asked.body):
            answer = await unless_gone(self.here.ended, self._final_head())
            await send(self.back, answer.raw)
            if answer.first[1] != "200" or not answer.chunked:
                await unless_gone(self.here.ended, pass_on(body_of(self.there, answer, of_answer=True), self.back))
                return not answer.closing
            in_lines = "json" in answer.headers.get("content-type", "")
            asked.space.watches.add(ended)
            try:
                expiry = await unless_gone(self.here.ended, self._events(ended, in_lines=in_lines))
            finally:
                asked.space.watches.discard(ended)
        if expiry is None:
            return not answer.closing
        if not expiry.oldest or not in_lines:  # protobuf: there is no 410 in it that the gate could write
            return False
        asked_from = int(version) if version.isdigit() else 0
        await send(self.back, chunk(statuses.expired(asked_from, expiry.oldest)) + chunk(b""))
        self.on.close()  # what is left of the watch there
        self.there, self.on = await self.open()
        return True

    async def _events(self, ended: asyncio.Future[Expiry], *, in_lines: bool) -> Expiry | None:
        """Pass events on until the server ends the watch (None) or the gate does, which is never inside an event."""
        stream, inside = chunks(self.there), False
        coming = asyncio.ensure_future(_next(stream))
        try:
            while True:
                waited: set[asyncio.Future[Any]] = {coming} if inside else {coming, ended}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if ended.done() and not inside:
                    return ended.result()
                content = coming.result()
                await send(self.back, chunk(content))
                if not content:
                    return None
                inside = in_lines and not content.endswith(b"\n")
                coming = asyncio.ensure_future(_next(stream))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _upgraded(self, answer: Head) -> None:
        """Raw bytes both ways until one side ends."""
        await send(self.back, answer.raw)
        ways = [
            asyncio.create_task(pass_on(everything(self.here), self.on)),
            asyncio.create_task(pass_on(everything(self.there), self.back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _final_head(self) -> Head:
        """The head of the answer; those of 1xx before it are passed on, except 101, which is one."""
        while (head := await read_head(self.there)) is not None:
            if head.first[1] == "101" or not head.first[1].startswith("1"):
                return head
            await send(self.back, head.raw)
        raise ConnectionResetError

    def _passed_on(self, head: Head, body: bytes | None) -> _PassedOn:
        return _PassedOn(self, head, body)


@dataclass
class _PassedOn:
    """The request, passed on; a body that nobody looked at goes beside the answer."""

    connection: Connection
    head: Head
    body: bytes | None
    unseen: asyncio.Task[None] | None = None

    async def __aenter__(self) -> asyncio.Task[None] | None:
        await send(self.connection.on, self.head.raw + (self.body or b""))
        if self.body is None:
            self.unseen = asyncio.create_task(pass_on(body_of(self.connection.here, self.head), self.connection.on))
        return self.unseen

    async def __aexit__(self, *_: object) -> None:
        if self.unseen is not None:
            self.unseen.cancel()
            await asyncio.gather(self.unseen, return_exceptions=True)


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    """The next chunk; b"" at the end."""
    async for content in stream:
        return content
    return b""
