"""The service behind the docker target's tests: standard library only, its behaviour comes from BEHAVE."""

import os
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
            return self.answer("{}", 500 if BEHAVE == "sick" else 200)
        if path == "/slow":
            time.sleep(float(query))
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


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if BEHAVE == "crash":
    print("I have no model", flush=True)
    sys.exit(4)
Server(("0.0.0.0", PORT), Handler).serve_forever()
