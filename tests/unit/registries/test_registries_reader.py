"""Logging in and reading, against a small HTTP server that behaves as registries do."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from shipper.errors import CredentialsError, PublishError, UnreachableError
from shipper.registries.credentials import Credentials
from shipper.registries.names import parse_repository
from shipper.registries.reader import Held, RegistryReader

pytestmark = pytest.mark.unit

Answer = tuple[int, dict[str, str], bytes]
MANIFEST: Answer = (200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, b"{}")


class Server:
    """Answers with `behave(method, path, authorization, body)` and remembers every request."""

    def __init__(self) -> None:
        self.behave: Callable[[str, str, str, str], Answer] = lambda *_: MANIFEST
        self.asked: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                authorization = self.headers.get("Authorization", "")
                outer.asked.append((self.command, self.path, authorization))
                status, headers, content = outer.behave(self.command, self.path, authorization, body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def read(self, credentials: Credentials | None = None, reference: str = "tag") -> Held | None:
        reader = RegistryReader(parse_repository(f"{self.address}/team/iris"), lambda: credentials)
        try:
            return reader.manifest(reference)
        finally:
            reader.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_an_open_registry_is_read_without_a_word_about_us(server: Server) -> None:
    held = server.read(Credentials("ann", "secret"))

    assert held is not None
    assert held.digest == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert server.asked == [("GET", "/v2/team/iris/manifests/tag", "")]


def test_basic_credentials_are_given_when_asked_for(server: Server) -> None:
    expected = "Basic " + base64.b64encode(b"ann:secret").decode()
    challenge = {"WWW-Authenticate": 'Basic realm="registry"'}
    server.behave = lambda _m, _p, auth, _b: MANIFEST if auth == expected else (401, challenge, b"")

    assert server.read(Credentials("ann", "secret")) is not None
    with pytest.raises(CredentialsError, match="it answered 401"):
        server.read(Credentials("ann", "wrong"))
    with pytest.raises(CredentialsError, match="there are none") as refused:
        server.read(None)
    assert refused.value.hint.startswith(f"docker login {server.address}")


@pytest.mark.parametrize("credentials", [None, Credentials("ann", "secret"), Credentials(identity_token="idt")])
def test_a_token_is_fetched_as_the_registry_says(server: Server, credentials: Credentials | None) -> None:
    def behave(method: str, path: str, auth: str, body: str) -> Answer:
        if path.startswith("/token"):
            asked = parse_qs(body if method == "POST" else urlsplit(path).query)
            assert asked["service"] == ["r"]
            assert asked["scope"] == ["repository:team/iris:pull"]
            name = asked.get("refresh_token", [auth or "nobody"])[0]
            return 200, {}, f'{{"token": "{base64.b64encode(name.encode()).decode()}"}}'.encode()
        if not auth.startswith("Bearer "):
            realm = f'Bearer realm="http://{server.address}/token",service="r",scope="repository:team/iris:pull"'
            return 401, {"WWW-Authenticate": realm}, b""
        return MANIFEST

    server.behave = behave

    assert server.read(credentials) is not None
    who = base64.b64decode(server.asked[-1][2].removeprefix("Bearer ")).decode()
    basic = "Basic " + base64.b64encode(b"ann:secret").decode()
    assert who == ("nobody" if credentials is None else credentials.identity_token or basic)


def test_credentials_never_go_to_an_address_without_encryption(server: Server) -> None:
    server.behave = lambda *_: (401, {"WWW-Authenticate": 'Bearer realm="http://token.example.com/t"'}, b"")

    with pytest.raises(CredentialsError, match="without encryption"):
        server.read(Credentials("ann", "secret"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, CredentialsError),
        (429, UnreachableError),
        (500, UnreachableError),
        (503, UnreachableError),
        (418, PublishError),
    ],
)
def test_every_refusal_has_its_error(server: Server, status: int, kind: type[Exception]) -> None:
    server.behave = lambda *_: (status, {}, b"")

    with pytest.raises(kind):
        server.read()


def test_nothing_there_is_nothing(server: Server) -> None:
    server.behave = lambda *_: (404, {}, b"{}")

    assert server.read() is None


def test_nobody_there_is_unreachable(server: Server) -> None:
    server.close()

    with pytest.raises(UnreachableError, match=f"the registry {server.address} does not answer"):
        server.read()
