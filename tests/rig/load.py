"""Open-loop HTTP load on loopback: a fixed rate, no retries, every failure counted.

    python -m tests.rig.load PORT RATE SECONDS [--host H] [--path /] [--close]

As a library it runs in a process of its own, so that a busy test does not slow the load down:

    with start(8080, rate=100, host="iris.localhost") as load:
        ...                                  # release, roll back, kill things
    assert load.stop().failures == {}
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

REVISION_HEADER = "x-shipper-revision"
_REPOSITORY = Path(__file__).resolve().parents[2]
_BODY_PREFIX = 40


@dataclass(frozen=True)
class LoadResult:
    """What became of the requests. `sent` is `ok` plus the sum of `failures`."""

    sent: int
    ok: int
    """Answers with a status below 400."""
    failures: Mapping[str, int]
    """How many failed, by kind: `http 503`, `TimeoutError on a new connection`, …"""
    by_revision: Mapping[str, int]
    """Good answers by their X-Shipper-Revision header; an answer without one is not in it."""
    by_body: Mapping[str, int]
    """Good answers by the first 40 characters of their body."""
    seconds: float
    p50_ms: float | None
    p99_ms: float | None

    @property
    def failed(self) -> int:
        """How many requests got no good answer."""
        return self.sent - self.ok


class Load:
    """Load that is running in a process of its own; it ends with `stop`, or with the test that made it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._result: LoadResult | None = None

    def stop(self) -> LoadResult:
        """Send no more, wait for the answers still under way, and count; again: the same result."""
        if self._result is None:
            out, errors = self._process.communicate(timeout=120)
            if self._process.returncode != 0:
                raise RuntimeError(f"the load generator failed: {errors.strip()[-500:]}")
            self._result = LoadResult(**json.loads(out))
        return self._result

    def __enter__(self) -> Load:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            self._process.kill()
            self._process.communicate()


def start(
    port: int,
    rate: float,
    *,
    seconds: float = math.inf,
    host: str | None = None,
    path: str = "/",
    keep_alive: bool = True,
    timeout: float = 10.0,
    inside: Sequence[str] = (),
) -> Load:
    """Start load that goes on until `stop`, `seconds` at most; `inside` are the words that enter another namespace."""
    options = ["--path", path, "--timeout", str(timeout)]
    options += ["--host", host] if host else []
    options += [] if keep_alive else ["--close"]
    process = subprocess.Popen(
        [*inside, sys.executable, "-m", "tests.rig.load", str(port), str(rate), str(seconds), "--until-eof", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=_REPOSITORY,
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline() != "started\n":
        _, errors = process.communicate()
        raise RuntimeError(f"the load generator did not start: {errors.strip()[-500:]}")
    return Load(process)


@dataclass
class _Tally:
    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    by_revision: Counter[str] = field(default_factory=Counter)
    by_body: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def result(self, seconds: float) -> LoadResult:
        ranked = sorted(self.latencies)
        return LoadResult(
            sent=self.sent,
            ok=self.sent - self.failures.total(),
            failures=dict(self.failures),
            by_revision=dict(self.by_revision),
            by_body=dict(self.by_body),
            seconds=round(seconds, 3),
            p50_ms=_percentile(ranked, 0.50),
            p99_ms=_percentile(ranked, 0.99),
        )


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    reusable: bool


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def usable(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()

    async def ask(self, request: bytes) -> _Answer:
        self.writer.write(request)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        body, delimited = await self._body(headers)
        reusable = delimited and headers.get("connection", "").lower() != "close"
        return _Answer(int(lines[0].split(" ", 2)[1]), headers, body, reusable)

    async def _body(self, headers: Mapping[str, str]) -> tuple[bytes, bool]:
        """The body, and whether its end was marked by anything but the end of the connection."""
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"])), True
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self.reader.read(), False
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body, True


class _Generator:
    """One run: requests leave at their time whether or not earlier ones were answered."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.port: int = options.port
        self.rate: float = options.rate
        self.seconds: float = options.seconds
        self.timeout: float = options.timeout
        self.keep_alive = not options.close
        host = options.host or f"127.0.0.1:{options.port}"
        closing = "" if self.keep_alive else "Connection: close\r\n"
        self.request = f"GET {options.path} HTTP/1.1\r\nHost: {host}\r\n{closing}\r\n".encode()
        self.idle: list[_Connection] = []
        self.tally = _Tally()

    async def run(self, stopped: asyncio.Event) -> LoadResult:
        begun = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        while not stopped.is_set() and self.tally.sent < self.rate * self.seconds:
            due = begun + self.tally.sent / self.rate
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), max(0.0, due - time.perf_counter()))
                break
            self.tally.sent += 1
            task = asyncio.create_task(self._send(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        return self.tally.result(time.perf_counter() - begun)

    async def _send(self, due: float) -> None:
        connection = self._reuse()
        kind = "a reused" if connection else "a new"
        try:
            async with asyncio.timeout(self.timeout):
                connection = connection or _Connection(*await asyncio.open_connection("127.0.0.1", self.port))
                answer = await connection.ask(self.request)
        except (OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError) as error:
            self.tally.failures[f"{type(error).__name__} on {kind} connection"] += 1
            if connection:
                connection.writer.close()
            return
        self._count(answer, time.perf_counter() - due)
        if self.keep_alive and answer.reusable:
            self.idle.append(connection)
        else:
            connection.writer.close()

    def _reuse(self) -> _Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if connection.usable():
                return connection
        return None

    def _count(self, answer: _Answer, latency: float) -> None:
        self.tally.latencies.append(latency)
        if answer.status >= 400:
            self.tally.failures[f"http {answer.status}"] += 1
            return
        self.tally.by_body[answer.body.decode("utf-8", "replace")[:_BODY_PREFIX]] += 1
        if revision := answer.headers.get(REVISION_HEADER):
            self.tally.by_revision[revision] += 1


def main(arguments: list[str] | None = None) -> int:
    """Run the load that the command line asks for and print its result as JSON."""
    options = _parser().parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    result = asyncio.run(_run(options))
    print(json.dumps(asdict(result), indent=None if options.until_eof else 2))
    return 0


async def _run(options: argparse.Namespace) -> LoadResult:
    stopped = asyncio.Event()
    if options.until_eof:
        asyncio.get_running_loop().add_reader(sys.stdin, stopped.set)
        print("started", flush=True)
    return await _Generator(options).run(stopped)


def _percentile(ranked: Sequence[float], share: float) -> float | None:
    if not ranked:
        return None
    return round(1000 * ranked[max(0, math.ceil(share * len(ranked)) - 1)], 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rig.load", description="Open-loop HTTP load on loopback.")
    parser.add_argument("port", type=int)
    parser.add_argument("rate", type=float, help="requests a second")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--host", help="the Host header; the address by default")
    parser.add_argument("--path", default="/")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds until a request counts as failed")
    parser.add_argument("--close", action="store_true", help="a new connection for every request")
    parser.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
