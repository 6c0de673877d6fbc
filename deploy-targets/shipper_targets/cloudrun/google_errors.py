"""Google's errors as ours: by the canonical code, which is the same on both transports; never by class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, Transient

if TYPE_CHECKING:
    import requests
    from google.api_core.exceptions import GoogleAPICallError

_BY_CODE: dict[str, type[PlatformError]] = {
    "INVALID_ARGUMENT": Invalid, "FAILED_PRECONDITION": Invalid, "OUT_OF_RANGE": Invalid, "UNIMPLEMENTED": Invalid,
    "DATA_LOSS": Invalid, "UNAUTHENTICATED": Denied, "PERMISSION_DENIED": Denied, "NOT_FOUND": NotFound,
    "ABORTED": Conflict, "ALREADY_EXISTS": Conflict, "CANCELLED": Transient, "UNKNOWN": Transient,
    "DEADLINE_EXCEEDED": Transient, "INTERNAL": Transient, "UNAVAILABLE": Transient,
}  # fmt: skip
"""google/rpc/code.proto. RESOURCE_EXHAUSTED is decided by its words."""

_BY_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 501: "UNIMPLEMENTED",
}  # fmt: skip

_RATE = re.compile(r"per (?:minute|second|100 seconds|user)\b|\brate\b|too many requests", re.IGNORECASE)
_ALLOWANCE = re.compile(
    r"\bGPUs?\b|Alloc|allowable|PerProjectRegion|instance|(?:number|total|maximum|most) of|"
    r"Quota exceeded for (?:services|revisions|tags|domain mappings)",
    re.IGNORECASE,
)
"""What somebody has to raise: "You do not have quota for using GPUs", "Quota violated: CpuAllocPerProjectRegion",
"Quota exceeded for total allowable CPU per project per region", and the numbers of services, revisions, instances.
"""

_PLUGIN = "Getting metadata from plugin failed"
"""gRPC's words, with UNAVAILABLE, for whatever goes wrong with credentials."""

_REFUSED = re.compile(
    r"invalid_(?:grant|client|target|request|scope)|unauthorized_client|access_denied|PERMISSION_DENIED|"
    r"UNAUTHENTICATED|Unable to acquire impersonated credentials(?s:.*)\b40[0134]\b|reauth",
    re.IGNORECASE,
)
"""OAuth's error codes (RFC 6749, 5.2; RFC 8693, 2.2.2) and IAM's: asking again does not help."""

_PERMISSION = re.compile(r"[Pp]ermission:? '?([a-z]+(?:\.[a-zA-Z]+){2})'?")
_NAME_TAKEN = "with different configuration already exists"
_LONGEST = 500


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of Google's clients, of their credentials and of HTTP as PlatformError. `doing` begins the message."""
    import google.auth.exceptions
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.protobuf.json_format import ParseError

    try:
        yield
    except GoogleAPICallError as error:
        raise error_of(doing, _code(error), _words(error)) from error
    except (google.auth.exceptions.TransportError, RetryError, requests.RequestException) as error:
        raise Transient(f"{doing}: {one_line(error)}") from error
    except ParseError as error:  # a proxy's page with status 200
        raise Transient(f"{doing}: the answer is none of this API's: {one_line(error)}") from error
    except google.auth.exceptions.DefaultCredentialsError as error:
        hint = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        raise Denied(f"{doing}: no credentials can be used: {one_line(error)} ({hint})") from error
    except google.auth.exceptions.GoogleAuthError as error:
        kind = Transient if getattr(error, "retryable", False) else Denied
        raise kind(f"{doing}: the credentials cannot be used: {one_line(error)}") from error
    except OSError as error:
        raise _of_this_machine(doing, error) from error


@contextmanager
def reading_credentials(doing: str) -> Iterator[None]:
    """The same where credentials are read: whatever is wrong with their file is Denied."""
    try:
        with translated(doing):
            yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # google-auth checks little of what it reads
        raise Denied(f"{doing}: the credentials cannot be read: {one_line(error)}") from error


def _of_this_machine(doing: str, error: OSError) -> PlatformError:
    """A connection that broke may be made again; a file of credentials or certificates stays as it is."""
    if isinstance(error, ConnectionError | TimeoutError):
        return Transient(f"{doing}: {one_line(error)}")
    return Denied(f"{doing}: a file of credentials or certificates cannot be used: {one_line(error)}")


def error_of(doing: str, code: str, message: str) -> PlatformError:
    """The error of ours for a canonical code such as "PERMISSION_DENIED"."""
    words = f"{doing}: {one_line(message)}"
    if code == "RESOURCE_EXHAUSTED":
        # A rate is there again in a minute; an allowance is there again when somebody raises it.
        return Invalid(words) if _ALLOWANCE.search(message) and not _RATE.search(message) else Transient(words)
    if _PLUGIN in message and _REFUSED.search(message):
        return Denied(f"{doing}: the credentials cannot be used: {one_line(message)}")
    if code == "ALREADY_EXISTS" and _NAME_TAKEN in message:
        return Invalid(words)
    if code == "PERMISSION_DENIED" and (missing := _PERMISSION.search(message)):
        return Denied(f"{words} (missing permission: {missing[1]})")
    return _BY_CODE.get(code, Transient)(words)


def check_response(doing: str, response: requests.Response) -> None:
    """Raises what an answer of one of the REST APIs means, when it is an error."""
    if response.ok:
        return
    code, message = _told(response)
    raise error_of(doing, code or _by_status(response.status_code), message or f"HTTP {response.status_code}")


def one_line(text: object) -> str:
    """What somebody said, on one line, cut to 500 characters."""
    line = " ".join(str(text).split()) or "it said nothing"
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _code(error: GoogleAPICallError) -> str:
    response = error.response
    if response is not None and (code := _told(response)[0]):
        return code
    if error.grpc_status_code is not None:
        return str(error.grpc_status_code.name)
    return _by_status(int(error.code or 500))


def _words(error: GoogleAPICallError) -> str:
    """Without the address that the REST transport puts before them."""
    told = _told(error.response)[1] if error.response is not None else ""
    return told or error.message or str(error)


def _told(response: requests.Response) -> tuple[str, str]:
    """Code and message in the body of an error, as google.rpc.Status is written in JSON; empty ones without it."""
    try:
        told = response.json()["error"]
        return str(told.get("status", "")), str(told.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _by_status(status: int) -> str:
    return _BY_STATUS.get(status, "UNAVAILABLE" if status >= 500 or status == 408 else "INVALID_ARGUMENT")
