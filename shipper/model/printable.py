"""Text as people may see it: on one line, printable, and never a secret."""

from __future__ import annotations

import re

SHORT = 60
"""Characters of a value in a message."""

# Not "tokenizer", a word of our users' field, and not "author".
SECRET_WORDS = re.compile(
    r"secret|token(?!iz)|passw|passphrase|pwd|api[-_]?key|access[-_]?key|private|credential"
    r"|auth(?!or(?!i))|bearer|cookie|dsn|signature",
    re.IGNORECASE,
)
_ENDS = " \"'<>"
"""What words end with, in prose, JSON and HTML."""
_CREDENTIALS_IN_URL = re.compile(r"://[^/@\s]*@")


def printable(text: str, limit: int = SHORT) -> str:
    """`text` with what cannot be printed escaped, cut to `limit` characters."""
    head = text[: limit * 2]
    escaped = "".join(char if char.isprintable() else _escaped(char) for char in head)
    if len(text) <= limit * 2 and len(escaped) <= limit:
        return escaped
    return escaped[: limit - 1] + "…"


def looks_secret(text: str) -> bool:
    """Whether a raw line or a name seems to be a secret's."""
    return bool(SECRET_WORDS.search(text) or has_credentials(text))


def has_credentials(text: str) -> bool:
    """Whether there is a URL with a user or password in it."""
    return bool(_CREDENTIALS_IN_URL.search(text))


def excerpt(body: bytes, limit: int = 200) -> str:
    """The beginning of what a service said, on one line; what a URL has before its @ is not shown.

    It is cut between words: who hides secrets later would not know half of one.
    """
    read = body[: limit * 10]
    text = _CREDENTIALS_IN_URL.sub("://***@", " ".join(read.decode("utf-8", "replace").split()))
    escaped = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if len(escaped) <= limit and read == body:
        return escaped
    head = escaped[: limit - 1]
    return head[: max(head.rfind(end) for end in _ENDS) + 1].rstrip(_ENDS) + "…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii") if char != " " else char
