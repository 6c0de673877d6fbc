"""Kill points, counted outside the product: proxies before the platform's API and the object store.

    with stores.s3() as store, KillPoints(store_url=store.endpoint) as points:
        environment = {**os.environ, **points.env(), **store.through(points.store_url).environ}
        with points.counted():
            points.run([shipper, "release"], env=environment)
        for k in range(1, points.count() + 1):
            with points.armed("before", k) as run:
                points.run([shipper, "release"], env=environment)
            assert run.killed_at, "fewer writes than before"

The k-th write of a run is known to the proxies only: it dies before that write is passed on, or when its whole answer
has come and the client has none of it. What a write is, is said in killing_writes.py. Both proxies count together, in
the order in which the writes came. Connections are passed on one to one; nothing is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from tests.rig.killing_http import Answered, Asked, Proxy, Reader, Trouble, body_of, read_head, unchunked
from tests.rig.killing_processes import kill_tree
from tests.rig.killing_writes import engine_write, made_exec, reads_only, started_exec, store_write

__all__ = ["Asked", "KillPoints", "Round", "Trouble", "When", "Write"]

When = Literal["before", "after"]
Side = Literal["engine", "store"]
_T = TypeVar("_T")


@dataclass
class Write:
    """One write, as the proxies saw it. Times are of `time.monotonic`, which all processes of a machine share."""

    number: int
    """Its place in the round, from 1."""
    to: Side
    name: str
    """Such as "POST /containers/create shop-1", "apply.sh", "PUT lease/00000007.json"."""
    asked: float
    """When the request had come, although it may have been passed on later."""
    answered: float | None = None
    """When the whole answer had come; None while it has not."""
    status: int | None = None
    """Of HTTP; of a script its exit code."""
    path: str = field(default="", repr=False)
    content: bytes = field(default=b"", repr=False)
    """The object's path, and what was put there."""

    def __str__(self) -> str:
        return f"{self.number}. {self.to} {self.name} -> {'no answer' if self.status is None else self.status}"

    @property
    def done(self) -> bool:
        """Whether the other side said that it was done."""
        return self.status is not None and (self.status == 0 or 200 <= self.status < 300)


@dataclass
class Round:
    """From one arming to the next: the writes in order, and where the run dies."""

    when: When = "before"
    k: int | None = None
    """The write to die at; None: nobody dies."""
    writes: list[Write] = field(default_factory=list)
    killed_at: Write | None = None
    killed: tuple[int, ...] = ()
    """The ids of the processes that were killed."""
    victims: list[int] = field(default_factory=list)

    def attach(self, pid: int) -> None:
        """Who dies, with all that came from it: a process that the caller started and has not reaped."""
        self.victims.append(pid)

    def claim(self, to: Side, name: str, asked: Asked) -> Write:
        """A write has come. Raises ConnectionAbortedError when the run died of it, or had died before."""
        self.check()
        content = (asked.body or b"") if to == "store" else b""
        write = Write(len(self.writes) + 1, to, name, asked.at, path=unquote(asked.url.path), content=content)
        self.writes.append(write)
        if self.when == "before" and write.number == self.k:
            self._kill(write)
        return write

    def answered(self, write: Write, status: int) -> None:
        """Its whole answer has come. Raises ConnectionAbortedError when the run died of it."""
        write.answered, write.status = time.monotonic(), status
        if self.when == "after" and write.number == self.k:
            self._kill(write)

    def check(self) -> None:
        """Raise ConnectionAbortedError when the run is dead: nothing of it is passed on any more."""
        if self.killed_at is not None:
            raise ConnectionAbortedError

    def _kill(self, write: Write) -> None:
        self.killed_at = write
        for pid in self.victims:
            self.killed += kill_tree(pid)
        raise ConnectionAbortedError


class KillPoints:
    """The proxies, as a context manager. `engine` is the engine's unix socket, `store_url` an HTTP object store."""

    def __init__(self, engine: str | Path | None = None, store_url: str | None = None) -> None:
        self._engine = str(engine or os.environ.get("DOCKER_HOST") or "/var/run/docker.sock").removeprefix("unix://")
        self._store = urlsplit(store_url) if store_url else None
        self._folder = tempfile.TemporaryDirectory(prefix="killing-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kill-points", daemon=True)
        self._proxies: list[Proxy] = []
        self._servers: list[asyncio.Server] = []
        self._port = 0
        self._round = self._newest = Round()
        self._rounds: list[Round] = []
        self._execs: dict[str, str] = {}
        self._choose: Callable[[Side, Asked], Trouble | None] = lambda side, asked: None

    # What a test uses

    @property
    def docker_host(self) -> str:
        """The engine's address through the proxy, for DOCKER_HOST."""
        return f"unix://{self._folder.name}/engine.sock"

    @property
    def store_url(self) -> str:
        """The object store's address through the proxy."""
        return f"http://127.0.0.1:{self._port}"

    def env(self) -> dict[str, str]:
        """What leads a command to the engine; to the store leads `RunningStore.through(points.store_url)`."""
        return {"DOCKER_HOST": self.docker_host}

    def count(self) -> int:
        """How many writes there were since the newest `counted` or `armed` began."""
        return len(self._newest.writes)

    @property
    def rounds(self) -> Sequence[Round]:
        """Every round so far, the oldest first."""
        return tuple(self._rounds)

    @contextlib.contextmanager
    def counted(self) -> Iterator[Round]:
        """Count the writes from here on; nobody dies."""
        with self._begun(Round()) as begun:
            yield begun

    @contextlib.contextmanager
    def armed(self, when: When, k: int) -> Iterator[Round]:
        """What runs in this block dies before or after its k-th write. `killed_at` of the round says whether it did."""
        with self._begun(Round(when, k)) as begun:
            yield begun

    @contextlib.contextmanager
    def slow_writes(self, side: Side, seconds: float) -> Iterator[None]:
        """While the block runs the writes to one side are passed on so much later, whether or not anybody waits."""
        late = Trouble(delay=seconds)
        with self.troubled(lambda to, asked: late if to == side and self.write_name(to, asked) else None):
            yield

    @contextlib.contextmanager
    def troubled(self, choose: Callable[[Side, Asked], Trouble | None]) -> Iterator[None]:
        """While the block runs `choose` says what goes wrong with each request, reads included."""
        was, self._choose = self._choose, choose
        try:
            yield
        finally:
            self._choose = was

    def run(self, command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, its own or the one that it is armed for. `options` are those of Popen."""
        process = self.start(command, **options)
        out, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, errors)

    def start(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
        """Start a command in a session of its own; it dies at the write that the round is armed for."""
        defaults: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([*map(str, command)], text=True, start_new_session=True, **(defaults | options))
        self._round.attach(process.pid)
        return process

    # The proxies

    def __enter__(self) -> KillPoints:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def _call(self, doing: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)

    async def _listen(self) -> None:
        engine = Proxy(self._open_engine, lambda: _EngineSay(self, self._round))
        path = self.docker_host.removeprefix("unix://")
        self._servers.append(await self._loop.create_unix_server(engine.protocol, path))
        self._proxies.append(engine)
        if self._store is not None:
            store = Proxy(self._open_store, lambda: _StoreSay(self, self._round))
            server = await self._loop.create_server(store.protocol, "127.0.0.1", 0)
            self._port = server.sockets[0].getsockname()[1]
            self._servers.append(server)
            self._proxies.append(store)

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for proxy in self._proxies:
            await proxy.close()

    async def _open_engine(self) -> tuple[Reader, asyncio.StreamWriter]:
        reader = Reader()
        transport, protocol = await self._loop.create_unix_connection(
            lambda: asyncio.StreamReaderProtocol(reader), self._engine
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _open_store(self) -> tuple[Reader, asyncio.StreamWriter]:
        assert self._store is not None
        reader = Reader()
        transport, protocol = await self._loop.create_connection(
            lambda: asyncio.StreamReaderProtocol(reader), str(self._store.hostname), self._store.port or 80
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    @contextlib.contextmanager
    def _begun(self, begun: Round) -> Iterator[Round]:
        self._round = self._newest = begun
        self._rounds.append(begun)
        try:
            yield begun
        finally:
            begun.k = None
            self._round = Round()

    def choose(self, side: Side, asked: Asked) -> Trouble | None:
        """What goes wrong with a request now."""
        return self._choose(side, asked)

    def learn(self, exec_id: str, script: str) -> None:
        """An exec was made."""
        self._execs[exec_id] = script

    def write_name(self, side: Side, asked: Asked) -> str | None:
        """What a write is called; None for what is none. An exec that nobody saw being made counts as a write."""
        if side == "store":
            return store_write(asked)
        exec_id = started_exec(asked)
        if exec_id is None:
            return engine_write(asked)
        script = self._execs.get(exec_id, f"exec {exec_id[:12]}")
        return None if reads_only(script) else script

    async def exit_code(self, exec_id: str) -> int:
        """How an exec ended, asked past the proxy: its own answer does not say. -1 when the engine never says."""
        for _ in range(50):
            code = (await self._ask_engine(f"/exec/{exec_id}/json")).get("ExitCode")
            if code is not None:
                return int(code)
            await asyncio.sleep(0.01)  # the stream ends a moment before the process is collected
        return -1

    async def _ask_engine(self, path: str) -> dict[str, Any]:
        reader, writer = await self._open_engine()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".encode())
        head = await read_head(reader)
        assert head is not None, "the engine went away"
        body = b"".join([piece async for piece in body_of(reader, head, of_answer=True)])
        writer.close()
        said: dict[str, Any] = json.loads(unchunked(body) if head.chunked else body)
        return said


@dataclass(frozen=True)
class _Made:
    """An exec is being made."""

    script: str


@dataclass(frozen=True)
class _EngineSay:
    """What the proxy before the engine is told."""

    points: KillPoints
    round: Round

    def trouble(self, asked: Asked) -> Trouble | None:
        return self.points.choose("engine", asked)

    def before(self, asked: Asked) -> object | None:
        self.round.check()
        if (script := made_exec(asked)) is not None:
            return _Made(script)
        name = self.points.write_name("engine", asked)
        return self.round.claim("engine", name, asked) if name else None

    async def after(self, asked: Asked, what: object, answered: Answered) -> None:
        if isinstance(what, _Made):
            if answered.status == 201:
                self.points.learn(json.loads(answered.body)["Id"], what.script)
            return
        assert isinstance(what, Write)
        exec_id = started_exec(asked)
        upgraded_or_raw = exec_id is not None and answered.status in (101, 200)
        status = await self.points.exit_code(str(exec_id)) if upgraded_or_raw else answered.status
        self.round.answered(what, status)


@dataclass(frozen=True)
class _StoreSay:
    """What the proxy before the object store is told."""

    points: KillPoints
    round: Round

    def trouble(self, asked: Asked) -> Trouble | None:
        return self.points.choose("store", asked)

    def before(self, asked: Asked) -> object | None:
        self.round.check()
        name = self.points.write_name("store", asked)
        return self.round.claim("store", name, asked) if name else None

    async def after(self, asked: Asked, what: object, answered: Answered) -> None:
        assert isinstance(what, Write)
        self.round.answered(what, answered.status)
