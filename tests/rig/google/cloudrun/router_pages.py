"""What Cloud Run's front end answers itself. Texts as the service shows them in public threads and in
https://cloud.google.com/run/docs/troubleshooting; their exact HTML is shortened here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """An answer that no container gave."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=(("content-type", "text/html; charset=UTF-8"),))


def _html(status: int, title: str, text: str) -> Page:
    page = f"<html><head>\n<title>{status} {title}</title>\n</head>\n<body>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n"
    return Page(status, f"{page}</body></html>\n".encode())


def _plain(status: int, text: str) -> Page:
    return Page(status, text.encode(), (("content-type", "text/plain"),))


NOT_FOUND = _html(404, "Page not found", "The requested URL was not found on this server.")
FORBIDDEN = _html(403, "Forbidden", "Your client does not have permission to get this URL from this server.")
UNAVAILABLE = _plain(503, "Service Unavailable")
CONNECTION_ERROR = _plain(
    503, "upstream connect error or disconnect/reset before headers. reset reason: connection termination"
)
MALFORMED = _plain(503, "upstream connect error or disconnect/reset before headers. reset reason: protocol error")
BUSY = _plain(429, "Rate exceeded.")
TIMEOUT = _plain(504, "upstream request timeout")
TOO_LARGE = _html(413, "Request Entity Too Large", "Your client issued a request that was too large.")
BAD_REQUEST = _html(400, "Bad Request", "Your client has issued a malformed or illegal request.")

_INVALID_TOKEN = 'Bearer error="invalid_token" error_description="The access token could not be verified"'
UNAUTHORIZED = Page(
    401,
    _html(401, "Unauthorized", "Your client does not have permission to the requested URL.").body,
    (("content-type", "text/html; charset=UTF-8"), ("www-authenticate", _INVALID_TOKEN)),
)
