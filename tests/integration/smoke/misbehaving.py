"""A small HTTP service that misbehaves as the environment variable BEHAVE says. Runs inside the test image."""

import importlib
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BEHAVE = os.environ.get("BEHAVE", "well")
PORT = int(os.environ["PORT"])
BORN = time.monotonic()
SECRET = Path("/run/secrets/API_KEY")


class Handler(BaseHTTPRequestHandler):
    """GET and POST on a handful of paths."""

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.health()
        elif self.path == "/predict":
            self.answer(200, {"prediction": [0], "probability": [0.97, 0.02, 0.01]})
        elif self.path == "/secret":
            print("the key is", SECRET.read_text(), flush=True)
            self.answer(200, {"key": SECRET.read_text(), "mode": oct(SECRET.stat().st_mode)[-3:]})
        elif self.path == "/write":
            Path("/tmp/note").write_text("written")
            self.answer(200, {"root": writes("/app/note")})
        elif self.path == "/eat":
            in_a_worker(eat)
            self.answer(200, {"eaten": True})
        elif self.path == "/die":
            os._exit(3)
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/predict")
            self.end_headers()
        elif self.path == "/hang":
            time.sleep(3600)
        else:
            self.answer(404, {"detail": "not here"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.answer(200, {"prediction": len(json.loads(body)["features"])})
        except (ValueError, KeyError, TypeError):
            self.answer(500 if BEHAVE == "careless" else 422, {"detail": "features are missing"})

    def health(self) -> None:
        if BEHAVE == "500":
            self.answer(500, {"detail": "no model"})
        elif BEHAVE == "slow-start" and time.monotonic() - BORN < 1.5:
            self.answer(503, {"status": "STARTING"})
        elif BEHAVE == "setup-failed":
            self.answer(200, {"status": "SETUP_FAILED"})
        else:
            self.answer(200, {"status": "READY"})

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """No line per request."""


def writes(path: str) -> str:
    """ "writable", or why not."""
    try:
        Path(path).write_text("x")
    except OSError as error:
        return str(error.strerror)
    return "writable"


def eat() -> None:
    """Use memory until there is none."""
    hoard: list[bytes] = []
    while True:
        hoard.append(b"x" * (8 << 20))


def in_a_worker(work: object) -> None:
    """Do it in a process of its own, as a pre-forking server does, and survive it."""
    worker = os.fork()
    if worker == 0 and callable(work):
        work()
    os.waitpid(worker, 0)


def main() -> None:
    """Start, or fail to, and serve."""
    print(f"behaving: {BEHAVE}", flush=True)
    if BEHAVE == "crash":
        importlib.import_module("a_module_that_is_not_there")
    if BEHAVE == "ends":
        sys.exit(0)
    if BEHAVE == "out-of-memory":
        eat()
    if BEHAVE == "worker-out-of-memory":
        in_a_worker(eat)
    if BEHAVE == "never-listens":
        time.sleep(3600)
    if BEHAVE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    host = "127.0.0.1" if BEHAVE == "loopback" else "0.0.0.0"
    port = 5000 if BEHAVE == "wrong-port" else PORT
    server = ThreadingHTTPServer((host, port), Handler)
    print(f"Serving HTTP on {host} port {port} (http://{host}:{port}/) ...", flush=True)
    if BEHAVE == "traceback":
        print("Traceback (most recent call last):\nValueError: a warning", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
