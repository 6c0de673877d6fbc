"""The kubelet's endpoints over TLS, as the API server asks them: logs. exec, attach and port-forward are 501 here.

From pkg/kubelet/server/server.go. It trusts everybody on loopback, where a real kubelet asks the API server.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.rig.kubernetes.nodes.kubelet import Kubelet, NoLog
from tests.rig.kubernetes.pods.runtime import LogQuery
from tests.rig.shell import run


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kubelet: ClassVar[Kubelet]

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        _, kind, *words = asked.path.split("/")
        if kind == "healthz":
            self._say(200, "ok")
        elif kind == "containerLogs" and len(words) == 3:
            self._logs(words, {name: values[-1] for name, values in parse_qs(asked.query).items()})
        else:
            self._say(501, f"the rig's nodes have no {kind}")

    def do_POST(self) -> None:
        self.do_GET()

    def _logs(self, words: list[str], query: dict[str, str]) -> None:
        previous = query.get("previous") == "true"
        try:
            pieces = self.kubelet.logs(words[0], words[1], words[2], previous, _query(query))
        except NoLog as error:
            self._say(error.status, str(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            if piece:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: tests ask a lot."""


def serve(folder: Path) -> tuple[ThreadingHTTPServer, type[_Handler]]:
    """A server on a free port of loopback; its handler's `kubelet` is to be set before `serve_forever`."""
    certificate, key = folder / "kubelet.crt", folder / "kubelet.key"
    if not certificate.exists():
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        name = ("-subj", "/CN=rig-node", "-addext", "subjectAltName=IP:127.0.0.1")
        run(["openssl", "req", "-x509", *curve, "-keyout", key, "-out", certificate, "-days", "3650", *name])
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server, handler


def _query(query: dict[str, str]) -> LogQuery:
    since = float(query["sinceSeconds"]) if "sinceSeconds" in query else None
    if "sinceTime" in query:
        then = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
        since = (datetime.now(UTC) - then).total_seconds()
    return LogQuery(
        tail=int(query["tailLines"]) if "tailLines" in query else None,
        since=since,
        timestamps=query.get("timestamps") == "true",
        follow=query.get("follow") == "true",
        limit=int(query["limitBytes"]) if "limitBytes" in query else None,
    )
