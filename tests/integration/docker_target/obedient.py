"""The service behind the docker target's tests: standard library only, it does what its environment says."""

import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

say = os.environ.get


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            return self.answer(say("HEALTH_BODY", "{}"), int(say("HEALTH_STATUS", "200")))
        if path == "/slow":
            time.sleep(float(query))
        if path == "/broken":
            return self.answer("broken", 500)
        if path == "/silent":
            return self.hang_up()
        if path == "/secret":
            file = "/run/secrets/TOKEN"
            status = os.stat(file)  # noqa: PTH116
            with open(file) as content:  # noqa: PTH123 - short is readable
                return self.answer(f"{content.read()} {status.st_uid} {oct(status.st_mode & 0o777)} {os.getuid()}")
        if path == "/headers":
            return self.answer(str(self.headers))
        return self.answer(say("NAME", "it"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print("POST", self.path, flush=True)
        if self.path == "/die":
            os._exit(3)
        if self.path == "/silent":
            return self.hang_up()
        if self.path.startswith("/slow?"):
            time.sleep(float(self.path.partition("?")[2]))
        return self.answer(f"{len(body)} bytes")

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

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


print("starting", say("NAME", "it"), flush=True)
time.sleep(float(say("START_SECONDS", "0")))
if say("CRASH"):
    sys.exit("the model file is missing: /models/iris.onnx")
if say("EAT_MEMORY"):
    eaten = [bytearray(10_000_000) for _ in range(100)]
Server((say("BIND", "0.0.0.0"), int(say("LISTEN", say("PORT", "8080")))), Handler).serve_forever()
