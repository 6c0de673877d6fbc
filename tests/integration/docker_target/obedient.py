"""The service behind the docker target's tests: standard library only, its behaviour comes from BEHAVE."""

import json
import os
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVE = os.environ.get("BEHAVE", "well")
PORT = int(os.environ["PORT"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            status = 500 if BEHAVE == "sick" else 200
            return self.answer(json.dumps({"ready": BEHAVE != "loading"}), status)
        if path == "/slow":
            time.sleep(float(query))
        if path == "/secret":
            return self.answer(secret(query))
        if path == "/headers":
            return self.answer(json.dumps({name.lower(): value for name, value in self.headers.items()}))
        return self.answer(os.environ.get("NAME", "it"))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print("POST", self.path, flush=True)
        if self.path == "/die":
            os._exit(3)
        self.answer(os.environ.get("NAME", "it"))

    def answer(self, text: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Shipper-Revision", "a-name-that-the-service-made-up")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


def secret(name: str) -> str:
    found = pathlib.Path("/run/secrets", name)
    return f"{os.getuid()} {oct(found.stat().st_mode & 0o777)} {found.stat().st_uid} {found.read_text()}"


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if BEHAVE == "crash":
    print("I have no model", flush=True)
    sys.exit(4)
if BEHAVE == "deaf":
    time.sleep(3600)
host = "127.0.0.1" if BEHAVE == "loopback" else "0.0.0.0"
Server((host, 9000 if BEHAVE == "elsewhere" else PORT), Handler).serve_forever()
