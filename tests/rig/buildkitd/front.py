"""The BuildKit inside a Docker engine, as a buildkitd on a TCP port: what buildx's remote driver talks to.

dockerd serves BuildKit's whole API at `POST /grpc` (upgraded to h2c: moby, api/server/router/grpc), which is how the
docker driver of buildx reaches it. Here that stream is behind a port, with TLS and client certificates when asked, as
`buildkitd --addr tcp://… --tlscacert …` has it. The BuildKit is real, with the engine's containerd store as its worker.
Not shown by it: buildkitd's own configuration, worker and cache (tests/rig/buildkitd/server.py has those).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.rig.shell import RigError, run

_UPGRADE = b"POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
NAME = "buildkitd.test"
"""The name in the server's certificate, beside 127.0.0.1."""


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, the server's pair and a client's."""

    ca: Path
    server: tuple[Path, Path]
    client: tuple[Path, Path]


def certificates(folder: Path) -> Certificates:
    """A new authority with both pairs. By openssl."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = _pair(folder, "ca")
    extensions = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run(["openssl", "req", "-x509", *_CURVE, "-subj", "/CN=rig", "-out", ca[0], "-keyout", ca[1], *extensions])
    server = _signed(folder, "server", ca, f"DNS:{NAME},IP:127.0.0.1", "serverAuth")
    client = _signed(folder, "client", ca, "DNS:client", "clientAuth")
    return Certificates(ca[0], server, client)


def stand_in_buildctl(folder: Path, docker_host: str) -> None:
    """A `buildctl` in `folder` that can do `dial-stdio` alone: what buildx asks for at the other end of ssh."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "buildctl"
    settings = f"SOCKET = {docker_host.removeprefix('unix://')!r}\nUPGRADE = {_UPGRADE!r}\n"
    program.write_text(f"#!{sys.executable}\n{settings}{_DIAL_STDIO}")
    program.chmod(0o755)


_DIAL_STDIO = """
import os, socket, sys, threading

if sys.argv[-1] != "dial-stdio":
    sys.exit("this buildctl can do dial-stdio alone")
engine = socket.socket(socket.AF_UNIX)
engine.connect(SOCKET)
engine.sendall(UPGRADE)
head = b""
while not head.endswith(b"\\r\\n\\r\\n"):
    head += engine.recv(1)


def send():
    while chunk := os.read(0, 65536):
        engine.sendall(chunk)
    engine.shutdown(socket.SHUT_WR)


threading.Thread(target=send, daemon=True).start()
while chunk := engine.recv(65536):
    while chunk:
        chunk = chunk[os.write(1, chunk):]
"""


class BuildKitFront:
    """A context manager; `address` is what buildx is given."""

    def __init__(self, docker_host: str, tls: Certificates | None = None) -> None:
        self._socket = docker_host.removeprefix("unix://")
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="buildkit front", daemon=True)
        self._server: asyncio.Server | None = None
        self.connections = 0
        """How many streams BuildKit has been given: builds that came this way."""

    @property
    def address(self) -> str:
        """Such as "tcp://127.0.0.1:12345"."""
        if self._server is None:
            raise RigError("this front has not been started")
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __enter__(self) -> BuildKitFront:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=20)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Hang up everywhere, and listen no more."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=20)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        context = None
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls.server)
            context.load_verify_locations(self._tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.set_alpn_protocols(["h2"])
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        ours = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not ours]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine: asyncio.StreamWriter | None = None
        try:
            answers, engine = await asyncio.open_unix_connection(self._socket)
            engine.write(_UPGRADE)
            head = await answers.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                raise RigError(f"the engine gives no BuildKit: {head[:100]!r}")
            self.connections += 1
            await asyncio.gather(_pour(reader, engine), _pour(answers, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # one side hung up, or we are stopped: so do we
        finally:
            for each in (writer, engine):
                if each is not None:
                    each.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while chunk := await source.read(1 << 16):
        into.write(chunk)
        await into.drain()
    with contextlib.suppress(OSError, NotImplementedError):
        into.write_eof()  # TLS has no half of an end
    into.close()


def _signed(folder: Path, name: str, ca: tuple[Path, Path], names: str, usage: str) -> tuple[Path, Path]:
    certificate, key = _pair(folder, name)
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\nbasicConstraints=critical,CA:FALSE\n")
    run(["openssl", "req", *_CURVE[:-2], "-subj", f"/CN={name}", "-out", request, "-keyout", key])
    signer = ("-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "30")
    run(["openssl", "x509", "-req", "-in", request, *signer, "-out", certificate, "-extfile", extensions])
    return certificate, key


def _pair(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.crt", folder / f"{name}.key"
