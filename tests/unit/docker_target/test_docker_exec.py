"""The engine's frames, taken apart: nothing is lost, whatever came together."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import docker
import pytest

from shipper.targets.docker_exec import Ended, run_in

pytestmark = pytest.mark.unit


def frame(stream: int, content: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


class Engine(BaseHTTPRequestHandler):
    """Says head and output of an exec in one packet, as a quick program's are on a busy machine."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/start"):
            output = frame(1, b"first ") + frame(2, b"complaint") + frame(1, b"second")
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + output)
            self.close_connection = True
        else:
            self.say({"Id": "e1"})

    def do_GET(self) -> None:
        self.say({"ExitCode": 3})

    def say(self, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with HTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield docker.DockerClient(base_url=f"tcp://127.0.0.1:{server.server_port}", version="1.44")
        server.shutdown()


def test_output_that_comes_with_the_head_is_not_lost(client: docker.DockerClient) -> None:
    assert run_in(client, "proxy", ["true"]) == Ended(3, b"first second", b"complaint")
