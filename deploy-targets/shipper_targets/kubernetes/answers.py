"""What the API server answers: an answer that was read, or one that is read as it comes."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shipper.model.json_text import parse_json
from shipper.targets import Transient
from shipper_targets.kubernetes.kube_errors import Gone, error_of

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from shipper_targets.kubernetes.clients import Connection

_CHUNK = 1 << 16
_ERROR_WORDS = 1 << 20
_STRANGER = b"system:anonymous"


class Answer:
    """Status, headers (names in lower case) and body; `chunks` instead of `body` where it is streamed.

    Must be read or closed. `close` may be called from another thread: a reader that waits then ends.
    """

    def __init__(self, connection: Connection, response: BaseHTTPResponse, deadline: float | None) -> None:
        self._connection = connection
        self._response = response
        self._deadline = deadline
        self._body: bytes | None = None
        self._closed = False
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    @property
    def body(self) -> bytes:
        """All of it. Raises Transient when it breaks off, or takes longer than the call may."""
        if self._body is None:
            self._body = b"".join(self.chunks())
        return self._body

    def chunks(self) -> Iterator[bytes]:
        """As they come. Raises Transient when the connection breaks; ends early after `close`."""
        import urllib3

        try:
            for chunk in self._response.stream(_CHUNK, decode_content=True):
                yield chunk
                if self._deadline is not None and time.monotonic() > self._deadline:
                    raise Transient("the answer took too long")
        except (urllib3.exceptions.HTTPError, OSError, AttributeError, ValueError) as error:
            # The last two are what reading from a response raises that another thread has closed.
            if self._closed:
                return
            if isinstance(error, AttributeError | ValueError):
                raise
            raise self._connection.broken(error) from error
        else:
            self._response.release_conn()
        finally:
            if not self._closed and not self._response.closed:
                self._response.close()

    def lines(self) -> Iterator[bytes]:
        """The same, cut at line ends."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def close(self) -> None:
        """No more of it is wanted."""
        self._closed = True
        shutdown = getattr(self._response, "shutdown", None)
        if shutdown is not None:
            with contextlib.suppress(RuntimeError, ValueError, OSError):  # it has ended already
                shutdown()
        self._response.close()


@dataclass(frozen=True)
class Listed:
    """Objects, and the resourceVersion from which a watch goes on."""

    items: tuple[dict[str, Any], ...]
    version: str


class Watch(Iterator[tuple[str, dict[str, Any]]]):
    """Events as (type, object): ADDED, MODIFIED, DELETED, BOOKMARK. Ends when the API server ends it.

    Raises Gone when it has to be begun again with a list, Transient when the connection breaks. `close` may be called
    from any thread, and ends it.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lines = answer.lines()

    def __next__(self) -> tuple[str, dict[str, Any]]:
        for line in self._lines:
            if line.strip():
                return _event(line)
        raise StopIteration

    def close(self) -> None:
        """No more events are wanted."""
        self._answer.close()


def _event(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        told = parse_json(line)
        kind, item = str(told["type"]), dict(told["object"])
    except (ValueError, KeyError, TypeError) as error:
        raise Transient(f"a watch broke off in the middle of an event: {error}") from error
    if kind == "ERROR":
        code = int(item.get("code") or 500)
        if code == 410:
            raise Gone(str(item.get("message") or "the watch began too long ago"))
        raise error_of("watch", code, json.dumps(item).encode())
    return kind, item


def checked(doing: str, connection: Connection, answer: Answer) -> dict[str, Any]:
    """The object of an answer; raises what its status means."""
    if answer.status >= 300:
        raise failure(doing, connection, answer)
    try:
        found = parse_json(answer.body)
    except ValueError as error:  # a proxy's page with status 200
        raise Transient(f"{doing}: the answer is not the API server's: {error}") from error
    if not isinstance(found, dict):
        raise Transient(f"{doing}: the answer is not an object")
    return found


def failure(doing: str, connection: Connection, answer: Answer) -> Exception:
    """What an answer that is no success means."""
    # A server that lets strangers ask takes credentials that it does not know for no credentials.
    if answer.status == 401 or (answer.status == 403 and _STRANGER in answer.body[:_ERROR_WORDS]):
        doing = f"{doing}, {connection.refused()}"
    return error_of(doing, answer.status, answer.body[:_ERROR_WORDS])
