"""The TLS front: one address, several names. Which name was asked decides who answers."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.rig.google.artifacts.backend import Streaming, body_of
from tests.rig.google.artifacts.control import ControlPlane
from tests.rig.google.artifacts.docker_api import HOST, DockerApi
from tests.rig.google.artifacts.errors import RegistryError
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.http import HttpAnswer, HttpRequest
from tests.rig.google.identity import Identity
from tests.rig.google.identity_server import Server

CONTROL_PLANE = "artifactregistry.googleapis.com"


class Handler(Streaming):
    """One connection of the TLS front."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 600
    disable_nagle_algorithm: ClassVar[bool] = True
    docker: ClassVar[DockerApi]
    control: ClassVar[ControlPlane]
    identity: ClassVar[Identity]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _any(self) -> None:
        self.body_taken = False
        host = self.headers.get("Host", "").partition(":")[0]
        location = HOST.fullmatch(host)
        if location is None:
            self._answer(self._by_name(host))
            return
        try:
            self._push_or_pull(location[1])
        except ConnectionError:
            self.close_connection = True  # the client left: a push that was cancelled, or refused in its middle

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class's names

    def _push_or_pull(self, location: str) -> None:
        try:
            self.docker.handle(self, location)
        except RegistryError as error:
            self._refuse(error)
        except ApiError as error:  # the repository went meanwhile
            self._refuse(RegistryError(404, "NAME_UNKNOWN", error.message))

    def _by_name(self, host: str) -> HttpAnswer:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = HttpRequest(self.command, self.path, headers, body)
        if host == CONTROL_PLANE:
            return self.control.answer(request)
        return self.identity.answer(request) or HttpAnswer(404, b"Not Found", {})

    def _answer(self, said: HttpAnswer) -> None:
        self._write(said.status, said.body, said.headers)

    def _refuse(self, error: RegistryError) -> None:
        if not self.body_taken:
            for _ in body_of(self):
                pass  # a client that still sends would not hear the refusal
        self._write(error.status, error.body, {**error.headers, "Content-Type": "application/json"})

    def _write(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def tls_server(address: tuple[str, int], handler: type[Handler], certificate: Path, key: Path) -> Server:
    """A server whose handshakes happen in the connections' own threads: nobody waits for a silent client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(address, handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server
