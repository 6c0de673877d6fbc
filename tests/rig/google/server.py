"""The rig's Google Cloud as one process: Cloud Run over gRPC and REST on one port, and the APIs beside it.

with running(folder) as google:          # in this process, for tests; engine = real containers
    google.url                           # http://127.0.0.1:PORT, for both transports
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.rig.google.access import Access
from tests.rig.google.cloudrun import grpc_front, v1
from tests.rig.google.cloudrun.api import Api
from tests.rig.google.cloudrun.contract import Instances, Router, SecretRef, World
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.hands import Hands
from tests.rig.google.cloudrun.rest_front import answer_v2
from tests.rig.google.cloudrun.state import State
from tests.rig.google.control import Control
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal
from tests.rig.google.identity import Identity
from tests.rig.google.one_port import OnePort
from tests.rig.google.projects import Projects
from tests.rig.google.relay import Relay
from tests.rig.google.secrets import Secrets
from tests.rig.google.subjects import subjects

AGENT = "service-1@serverless-robot-prod.iam.gserviceaccount.com"
"""The account that pulls images (https://cloud.google.com/run/docs/deploying, "service agent")."""

Part = Callable[[HttpRequest], HttpAnswer | None]
Made = tuple[Instances, Router]


class Google:
    """Everything, wired. `make` gives the instances and the router; the engine's and the real router by default."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        step: float = 0.3,
        idle: float = 60.0,
        make: Callable[[World], Made] | None = None,
    ) -> None:
        (folder / "identity").mkdir(parents=True, exist_ok=True)
        self.hands, self.identity = Hands(), Identity(folder / "identity")
        self.access = Access(self.hands, self.identity)
        self.secrets = Secrets(self.access)
        self.world = World(
            secret=self._secret,
            bucket=_buckets(folder / "buckets"),
            invoker=self.access.invoker,
            may_invoke=self._may_invoke,
            idle_seconds=idle,
        )
        instances, router = (make or self._on_the_engine)(self.world)
        self.state = State(self.world, instances, router, self.hands, step=step)
        self.api = Api(self.state, self.hands, self.access)
        self._relay = Relay(folder / "tls" / "ca.pem", lambda: self.identity.access_token(AGENT))
        self._open, self._behind = self._mounted()
        self._sockets = tempfile.TemporaryDirectory(prefix="rig-google-")
        socket_path = Path(self._sockets.name) / "grpc"
        self._grpc = grpc_front.serve(self.api, f"unix:{socket_path}")
        self._port = OnePort(_Http(self._answer), socket_path, port)
        self.port = self._port.port
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._port.start()

    def close(self) -> None:
        self._port.close()
        self._grpc.stop(0.2).wait()
        self.state.close()
        self._sockets.cleanup()

    def _secret(self, ref: SecretRef) -> bytes:
        return self.secrets.value(ref)

    def _may_invoke(self, service: str, principal: str | None) -> bool:
        """By the service's own policy; or by the project's, where everything is allowed that was not denied."""
        if self.state.may_invoke(service, principal):
            return True
        return bool(principal) and self.access.may(principal or "", "run.routes.invoke", service.split("/")[1])

    def _on_the_engine(self, world: World) -> Made:
        """Containers on the Docker engine, behind the real router. Loaded here: they need the engine's SDK."""
        instances = importlib.import_module("tests.rig.google.cloudrun.instances").make(world, self._pulls)
        return instances, importlib.import_module("tests.rig.google.cloudrun.router").make(world, instances)

    def _pulls(self, host: str) -> Mapping[str, str] | None:
        """The service agent's credentials for a registry of Google's; other registries are asked without."""
        if not host.endswith(("-docker.pkg.dev", "gcr.io")):
            return None
        return {"username": "oauth2accesstoken", "password": self.identity.access_token(AGENT)}

    def _mounted(self) -> tuple[list[Part], list[Part]]:
        """Those that are asked without a look at tokens, and those behind it; the first that knows a path answers."""
        open_to_all: list[Part] = [
            Control(self.hands, self.state, self.secrets, self.world, self.identity.access_token).answer,
            self.identity.answer,
        ]
        behind: list[Part] = [
            self._registry,
            lambda request: answer_v2(self.api, request),
            self.secrets.answer,
            Projects(self.access, self.state, self.world.requests).answer,
            lambda request: v1.answer(self.state, request),
        ]
        return open_to_all, behind

    def _registry(self, request: HttpRequest) -> HttpAnswer | None:
        """Artifact Registry, which looks at tokens once more. Operations are called alike there and in Cloud Run."""
        name = request.path.removeprefix("/v1/").partition(":")[0]
        return None if self.state.operations.has(name) else self._relay.answer(request)

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        for part in self._open:
            if (found := part(request)) is not None:
                return found
        try:
            who = replace(request, principal=self.access.principal(request.headers))
            service, projects = subjects(who)
            for project in projects:
                self.access.admit(who.principal, project, service)
            for part in self._behind:
                if (found := part(who)) is not None:
                    return found
        except ApiError as error:
            return refusal(error)
        return refusal(ApiError("NOT_FOUND", f"The requested URL {request.path} was not found on this server."))


@contextmanager
def running(
    folder: Path,
    port: int = 0,
    *,
    step: float = 0.3,
    idle: float = 60.0,
    make: Callable[[World], Made] | None = None,
) -> Iterator[Google]:
    """The whole rig in this process, until the block ends."""
    google = Google(folder, port, step=step, idle=idle, make=make)
    google.start()
    try:
        yield google
    finally:
        google.close()


def _buckets(folder: Path) -> Callable[[str], str]:
    def bucket(name: str) -> str:
        (folder / name).mkdir(parents=True, exist_ok=True)
        return str(folder / name)

    return bucket


class _Http(ThreadingHTTPServer):
    """Answers connections that OnePort hands on; never listens itself."""

    daemon_threads = True

    def __init__(self, work: Callable[[HttpRequest], HttpAnswer]) -> None:
        self.work = work
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, or was killed, before its answer is no error of the rig."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: Nagle would add 40 ms to each
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self.server.work(HttpRequest(self.command, self.path, headers, body))
        except Exception as error:  # noqa: BLE001 - a fault of the rig: said to the client, whose test then fails
            shown = {"code": 500, "message": f"The rig failed: {error!r}", "status": "INTERNAL"}
            reply = answer({"error": shown}, 500)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815 - the base class's names
