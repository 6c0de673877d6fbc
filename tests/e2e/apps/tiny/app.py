"""The smallest service that can be told from its earlier releases: every answer is what TEXT says.

Ready at once, or START_SECONDS after its start. A path that starts with /slow is answered SLOW_SECONDS later.
"""

import contextlib
import os
import socket
import threading
import time

TEXT = os.environ.get("TEXT", "").encode()
SLOW = float(os.environ.get("SLOW_SECONDS", "2"))
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT)


def answer(client: socket.socket) -> None:
    with client, contextlib.suppress(ConnectionError):
        asked = b""
        while piece := client.recv(65536):
            asked += piece
            while b"\r\n\r\n" in asked:
                request, _, asked = asked.partition(b"\r\n\r\n")
                time.sleep(SLOW if request.startswith(b"GET /slow") else 0)
                client.sendall(ANSWER)


def main() -> None:
    time.sleep(float(os.environ.get("START_SECONDS", "0")))
    server = socket.create_server(("0.0.0.0", int(os.environ.get("PORT", "8080"))), backlog=512)
    while True:
        client, _ = server.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
