"""The smallest service that can be told from its earlier releases: every answer is what TEXT says. Ready at once."""

import os
import socket
import threading

TEXT = os.environ.get("TEXT", "").encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT)


def answer(client: socket.socket) -> None:
    with client:
        asked = b""
        while piece := client.recv(65536):
            asked += piece
            while b"\r\n\r\n" in asked:
                asked = asked.partition(b"\r\n\r\n")[2]
                client.sendall(ANSWER)


def main() -> None:
    server = socket.create_server(("0.0.0.0", int(os.environ.get("PORT", "8080"))), backlog=512)
    while True:
        client, _ = server.accept()
        threading.Thread(target=answer, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
