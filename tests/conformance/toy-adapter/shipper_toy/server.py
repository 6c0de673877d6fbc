"""The platform's server: python -m shipper_toy.server DIRECTORY

It answers every service of the directory on one port, which it writes to DIRECTORY/port; the host name says which
service: `<service>.<environment>.localhost`.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shipper_toy.files import Files

_credit: dict[str, int] = {}


class Handler(BaseHTTPRequestHandler):
    """Routes by weight and answers for the revision."""

    root = Path()

    def do_GET(self) -> None:
        service, _, rest = self.headers.get("Host", "").partition(".")
        files = Files(self.root, service, rest.partition(".")[0])
        with files.locked():
            name = route(files.state()["weights"])
            held = files.revisions().get(name) if name else None
            status, body = answer(files, held, self.path) if held else (503, b"nothing serves here")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if held:
            self.send_header("x-shipper-revision", str(name))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def route(weights: dict[str, int]) -> str | None:
    """Who is next: smooth weighted round-robin."""
    for name, weight in weights.items():
        _credit[name] = _credit.get(name, 0) + weight
    if not weights:
        return None
    chosen = max(weights, key=lambda name: _credit[name])
    _credit[chosen] -= 100
    return chosen


def answer(files: Files, held: dict[str, Any], path: str) -> tuple[int, bytes]:
    """What the service of this revision says."""
    record, labels = held["record"]["value"], held["labels"]
    _, kind, name = [*path.split("/", 2), ""][:3]
    if kind == "healthz":
        return (503, b"") if labels["toy.kind"] == "never-ready" else (200, b"ready")
    if kind == "env":
        value = record["settings"]["run"]["env"].get(name)
        return (404, b"") if value is None else (200, value.encode())
    if kind == "secrets":
        secret = files.secrets / f"{name}.{record['secret_versions'].get(name)}"
        return (200, secret.read_bytes()) if secret.is_file() else (404, b"")
    return 500 if labels["toy.kind"] == "failing" else 200, labels["toy.answers"].encode()


def main(root: str) -> None:
    """Serve until somebody ends the process."""
    Handler.root = Path(root)
    Handler.root.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (Handler.root / "port").write_text(str(server.server_port))
    print(f"{root} answers on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
