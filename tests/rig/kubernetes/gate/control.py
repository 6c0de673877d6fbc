"""The gate's hands over HTTP: `POST /rig/<verb>` with a JSON object, for tests in any process (hands.py).

    writes, calls        {"namespace"}
    hold                 {"namespace", "at", "when", "verb", "resource", "name"}    the at-th write from now
    held                 {"namespace", "seconds"}                                   waits; null when none came
    release              {"namespace", "carry"}
    fail                 {"namespace", "how", "verb", "resource", "name", "times", "seconds", "after"}
    slow                 {"namespace", "seconds"}                                   every request; 0: none
    end_watches          {"namespace", "oldest"}                                    0: without a word
    watches              {"namespace"}                                              how many are open
    forget               {"namespace"}
    status               {}

A verb that is unknown or lacks a value is 400. Only programs of this machine reach it: it listens on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.rig.killing_http import read_head
from tests.rig.kubernetes.gate.state import Expiry, Fault, Hold, State
from tests.rig.kubernetes.gate.wire import Listening, send, short_body

Asked = dict[str, Any]
Verb = Callable[[Asked], Awaitable[Any]]


@dataclass
class Control:
    state: State

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which may carry many requests."""
        assert isinstance(reader, Listening)
        with contextlib.suppress(OSError, EOFError):
            while (head := await read_head(reader)) is not None:
                content = await short_body(reader, head)
                code, said = await self._answer(head.first[1], content)
                body = json.dumps(said).encode()
                start = f"HTTP/1.1 {code} Rig\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                await send(writer, start.encode() + body)
        writer.close()

    async def _answer(self, path: str, content: bytes | None) -> tuple[int, Any]:
        verb = self._verbs().get(path.removeprefix("/rig/"))
        if verb is None:
            return 400, {"error": f"{path} is no verb: {', '.join(sorted(self._verbs()))}"}
        try:
            return 200, {"result": await verb(json.loads(content or b"{}"))}
        except (KeyError, TypeError, ValueError) as error:
            return 400, {"error": f"{path}: {type(error).__name__} {error}"}

    def _verbs(self) -> dict[str, Verb]:
        return {
            "writes": self._writes,
            "calls": self._calls,
            "hold": self._hold,
            "held": self._held,
            "release": self._release,
            "fail": self._fail,
            "slow": self._slow,
            "end_watches": self._end_watches,
            "watches": self._watches,
            "forget": self._forget,
            "status": self._status,
        }

    async def _writes(self, asked: Asked) -> list[dict[str, Any]]:
        return [write.told() for write in self.state.space(asked["namespace"]).writes]

    async def _calls(self, asked: Asked) -> dict[str, int]:
        return dict(self.state.space(asked["namespace"]).calls)

    async def _hold(self, asked: Asked) -> None:
        if asked["when"] not in ("before", "after"):
            raise ValueError(f"when is {asked['when']!r}: before or after")
        hold = Hold(int(asked["at"]), asked["when"], asked["verb"], asked["resource"], asked["name"])
        self.state.space(asked["namespace"]).put_hold(hold)

    async def _held(self, asked: Asked) -> dict[str, Any] | None:
        hold = self.state.space(asked["namespace"]).hold
        if hold is None:
            raise ValueError("nothing is to be held there")
        try:
            await asyncio.wait_for(hold.arrived.wait(), float(asked["seconds"]))
        except TimeoutError:
            return None
        return hold.write.told() if hold.write else None

    async def _release(self, asked: Asked) -> None:
        self.state.space(asked["namespace"]).release(carry=bool(asked["carry"]))

    async def _fail(self, asked: Asked) -> None:
        how = asked["how"]
        if not isinstance(how, int) and how not in ("cut", "cut-after", "slow"):
            raise ValueError(f"how is {how!r}: an HTTP status, cut, cut-after or slow")
        fault = Fault(
            how,
            asked["verb"],
            asked["resource"],
            asked["name"],
            int(asked["times"]),
            float(asked["seconds"]),
            bool(asked["after"]),
        )
        self.state.space(asked["namespace"]).faults.append(fault)

    async def _slow(self, asked: Asked) -> None:
        self.state.space(asked["namespace"]).seconds = float(asked["seconds"])

    async def _end_watches(self, asked: Asked) -> int:
        return self.state.space(asked["namespace"]).end_watches(Expiry(int(asked["oldest"])))

    async def _watches(self, asked: Asked) -> int:
        return len(self.state.space(asked["namespace"]).watches)

    async def _forget(self, asked: Asked) -> None:
        self.state.forget(asked["namespace"])

    async def _status(self, asked: Asked) -> dict[str, int]:
        return {"namespaces": len(self.state.spaces), "pid": os.getpid()}
