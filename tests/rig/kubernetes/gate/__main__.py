"""The gate as a process: python -m tests.rig.kubernetes.gate …, until SIGTERM. Standard library only.

    --upstream https://127.0.0.1:PORT --upstream-ca FILE [--upstream-cert FILE --upstream-key FILE]
    --cert FILE --key FILE      what it shows to clients
    --port P --hands P          where clients and tests come, on 127.0.0.1; 0: any
    --state DIR                 `ready` is written there, with the JSON line that is printed too

Tokens are passed on. A client's certificate cannot be: --upstream-cert is what the gate then shows in its place.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.rig.kubernetes.gate.connection import Connection
from tests.rig.kubernetes.gate.control import Control
from tests.rig.kubernetes.gate.state import State
from tests.rig.kubernetes.gate.wire import Listening, Open, Stream

Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    state = State()
    reach = _upstream(options)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Listening)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):  # cancelled only when all ends
                await Connection(reader, writer, reach, state).serve()
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    gate = await loop.create_server(_protocol(serve), "127.0.0.1", options.port, ssl=context, backlog=512)
    hands = await loop.create_server(_protocol(Control(state).serve), "127.0.0.1", options.hands)
    _tell(options.state, {"server": f"https://127.0.0.1:{_port(gate)}", "hands": f"http://127.0.0.1:{_port(hands)}"})
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    gate.close()
    hands.close()


def _protocol(served: Served) -> Callable[[], asyncio.StreamReaderProtocol]:
    return lambda: asyncio.StreamReaderProtocol(Listening(), served)


def _upstream(options: argparse.Namespace) -> Open:
    """Connections to the API server, HTTP/1.1 as nothing else is offered."""
    where = urlsplit(options.upstream)
    context = ssl.create_default_context(cafile=options.upstream_ca)
    if options.upstream_cert:
        context.load_cert_chain(options.upstream_cert, options.upstream_key)

    async def opened() -> Stream:
        reader = Listening()
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            lambda: asyncio.StreamReaderProtocol(reader),
            where.hostname,
            where.port or 443,
            ssl=context,
            server_hostname=where.hostname,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    return opened


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _tell(folder: Path, said: dict[str, str]) -> None:
    line = json.dumps(said)
    part = folder / "ready.part"
    part.write_text(line + "\n")
    part.rename(folder / "ready")
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rig.kubernetes.gate")
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--upstream-ca")
    parser.add_argument("--upstream-cert")
    parser.add_argument("--upstream-key")
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hands", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    (options.state / "ready").unlink(missing_ok=True)
    asyncio.run(run(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
