"""A service that does what its environment says: version, start-up, where it listens, and what it knows."""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

say = os.environ.get


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path
        if path == "/healthz":
            return self.answer(int(say("HEALTH_STATUS", "200")), say("HEALTH_BODY", "{}"))
        if path.startswith("/slow/"):
            time.sleep(float(path.rpartition("/")[2]))
        if path == "/secret":
            file = "/run/secrets/TOKEN"
            status = os.stat(file)  # noqa: PTH116
            with open(file) as content:  # noqa: PTH123 - short is readable
                return self.answer(200, f"{content.read()} {status.st_uid} {oct(status.st_mode & 0o777)} {os.getuid()}")
        if path == "/headers":
            return self.answer(200, str(self.headers))
        return self.answer(200, say("VERSION", "?"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path == "/die":
            print("dying as asked", flush=True)
            os._exit(3)
        return self.answer(200, f"{len(body)} bytes")

    def answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Shipper-Revision", "i-am-somebody-else")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


print("starting", say("VERSION", "?"), flush=True)
time.sleep(float(say("START_SECONDS", "0")))
if say("CRASH"):
    sys.exit("the model file is missing: /models/iris.onnx")
if say("EAT_MEMORY"):
    eaten = [bytearray(10_000_000) for _ in range(100)]
Server((say("BIND", "0.0.0.0"), int(say("LISTEN", say("PORT", "8080")))), Handler).serve_forever()
