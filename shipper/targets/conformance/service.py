"""The service that the suite's images run: one file, standard library only, so that any rig can put it in an image.

python service.py KIND TEXT         KIND: good, never-ready, crash-loop, failing

It listens on PORT (8080). `/healthz` is its readiness path; `/` answers TEXT, `/env/NAME` an environment variable and
`/secrets/NAME` a file of SECRETS (/run/secrets), else that variable, byte for byte, 404 without one; `/slow/SECONDS`
answers TEXT late.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers as KIND says."""

    kind, text = "good", b""

    def do_GET(self) -> None:
        status, body = self.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body for a path."""
        _, kind, name = [*path.split("/", 2), ""][:3]
        if kind == "healthz":
            return (503, b"not ready") if self.kind == "never-ready" else (200, b"ready")
        if kind == "secrets":
            file = Path(os.environ.get("SECRETS", "/run/secrets"), Path(name).name)
            if file.is_file():
                return 200, file.read_bytes()
            kind = "env"  # some platforms give them that way
        if kind == "env":
            value = os.environb.get(name.encode())
            return (404, b"") if value is None else (200, value)
        if kind == "slow":
            time.sleep(float(name))
        return (500, b"failing") if self.kind == "failing" else (200, self.text)

    def log_message(self, *_: object) -> None:
        """Nothing: the suite asks a lot."""


class Server(ThreadingHTTPServer):
    """Requests under way are answered before it ends."""

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128


def main(kind: str, text: str) -> int:
    """Serve until SIGTERM."""
    if kind == "crash-loop":
        sys.stderr.write("cannot load the model\n")
        return 3
    Handler.kind, Handler.text = kind, text.encode()
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "8080"))), Handler)  # noqa: S104 - in a container
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
