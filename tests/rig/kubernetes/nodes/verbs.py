"""Hands by HTTP: `POST /rig/<verb>` with a JSON object on loopback, `{"result": …}` or a 400 that says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Verbs = Mapping[str, Callable[[dict[str, Any]], Any]]


def serve(port: int, verbs: Verbs) -> ThreadingHTTPServer:
    """A server that is not started yet; `port` 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = _answer(verbs, self.path, body)
            content = (json.dumps(answer) + "\n").encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: tests ask a lot."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def _answer(verbs: Verbs, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    verb = verbs.get(path.removeprefix("/rig/"))
    if verb is None or not path.startswith("/rig/"):
        return 404, {"error": f"{path} is no verb: {', '.join(sorted(verbs))}"}
    try:
        return 200, {"result": verb(json.loads(body or b"{}"))}
    except KeyError as error:
        return 400, {"error": f"{path}: {error} is missing"}
    except Exception as error:  # noqa: BLE001 - whatever it is, the test that asked is to see it
        return 400, {"error": f"{path}: {type(error).__name__}: {error}"}
