"""A service that does what behaviour.json says: good, or broken in one of the ways that real ones are.

The behaviour is in the image, not in the environment: like a bug, it arrives with a new build. What each one
does stands with `Behaviour` in tests/e2e/projects.py.
"""

import ipaddress
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SAYS = json.loads(Path(__file__).with_name("behaviour.json").read_text())
BEHAVIOUR = SAYS["behaviour"]
PORT = int(os.environ.get("PORT", "8080"))
STARTED = time.monotonic()


def before_listening() -> None:
    """What goes wrong before a port is open."""
    if BEHAVIOUR == "crash":
        print("connecting to the feature store", flush=True)
        os.environ["FEATURE_STORE_URL"]
    if BEHAVIOUR == "import-error":
        import shipper_fixture_that_nobody_installed  # type: ignore[import-not-found]  # noqa: F401
    if BEHAVIOUR == "out-of-memory":
        eat_memory()
    if BEHAVIOUR == "worker-out-of-memory":
        worker = os.fork()
        if worker == 0:
            eat_memory()
        os.waitpid(worker, 0)  # else a quick smoke test may be over before the worker is
    if BEHAVIOUR == "ignores-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def eat_memory() -> None:
    """Load a model that is larger than the memory limit."""
    print("loading the model", flush=True)
    model: list[bytes] = []
    while len(model) < 4096:
        model.append(b"x" * 4_000_000)


def own_address() -> str:
    """This container's address in its first network."""
    return socket.gethostbyname(socket.gethostname())


def readiness() -> tuple[int, dict[str, str]]:
    """The answer of /healthz."""
    if BEHAVIOUR == "never-ready":
        return 503, {"status": "loading"}
    if BEHAVIOUR == "unhealthy":
        return 500, {"error": "the feature store does not answer"}
    if BEHAVIOUR == "slow-start" and time.monotonic() - STARTED < SAYS["start_seconds"]:
        return 503, {"status": "loading"}
    if BEHAVIOUR == "network-refused" and ipaddress.ip_address(own_address()) in ipaddress.ip_network(SAYS["network"]):
        print(f"the feature store refuses connections from {own_address()}", flush=True)
        return 503, {"error": "the feature store refuses this address"}
    return 200, {"status": "ready"}


class Service(BaseHTTPRequestHandler):
    """GET and POST on a handful of paths."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self.answer(*readiness())
        elif url.path == "/livez":
            self.answer(200, {"status": "alive"})
        elif BEHAVIOUR == "error":
            print("ZeroDivisionError: division by zero", flush=True)
            self.answer(500, {"error": "internal error"})
        elif BEHAVIOUR == "one-host" and not self.asked_by_address():
            self.answer(400, {"error": f"host {self.headers.get('Host')} is not in ALLOWED_HOSTS"})
        elif url.path == "/slow":
            time.sleep(float(parse_qs(url.query).get("seconds", ["1"])[0]))
            self.answer(200, {"version": SAYS["version"]})
        elif url.path == "/secret":
            self.answer(200, {"length": len(Path("/run/secrets", parse_qs(url.query)["name"][0]).read_bytes())})
        elif url.path == "/env":
            name = parse_qs(url.query)["name"][0]
            self.answer(200, {"value": os.environ.get(name) if name.startswith("SHOP_") else None})
        elif url.path == "/":
            version = "wrong" if BEHAVIOUR == "wrong-answer" else SAYS["version"]
            self.answer(200, {"service": SAYS["service"], "version": version})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/predict":
            self.answer(404, {"error": "not found"})
            return
        try:
            self.answer(200, {"prediction": sum(json.loads(body)["features"]), "version": SAYS["version"]})
        except (ValueError, KeyError, TypeError):
            self.answer(500 if BEHAVIOUR == "trips-over-bad-input" else 422, {"error": "not a list of features"})

    def asked_by_address(self) -> bool:
        """Whether the Host header is an IP address or plain localhost, as it is on a developer's machine."""
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        return host == "localhost" or host.replace(".", "").isdigit()

    def answer(self, status: int, body: Mapping[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """No line per request."""


class Server(ThreadingHTTPServer):
    """As many connections waiting as a load test opens at once."""

    request_queue_size = 512
    daemon_threads = True


def main() -> None:
    before_listening()
    host = "127.0.0.1" if BEHAVIOUR == "loopback" else "0.0.0.0"
    port = PORT + 1 if BEHAVIOUR == "wrong-port" else PORT
    server = Server((host, port), Service)
    print(f"version {SAYS['version']} listens on {host}:{port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
