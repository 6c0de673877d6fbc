"""A bug report says what went wrong, and never as whom somebody was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.reporting.failures import without_credentials, write_bug_report

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        r"Invalid header value b'Bearer s3cr3t-trailing\n'",
        r"Invalid header value b'bearer s3cr3t and s3cr3t'",
        "{'authorization': 'Basic s3cr3t=='}",
        'headers = {"Authorization": "Token s3cr3t"}',
        "Authorization: s3cr3t",
        "X-Registry-Auth: s3cr3t",
        "https://user:s3cr3t@registry.example.com/v2/ does not answer",
        "Proxy-Authorization: Digest s3cr3t",
    ],
)
def test_what_proves_who_asks_is_hidden(text: str) -> None:
    assert "s3cr3t" not in without_credentials(text)
    assert "(hidden)" in without_credentials(text)


@pytest.mark.parametrize("text", ["'int' object has no attribute 'rstrip'", "the basic idea", "File shop.py, line 7"])
def test_everything_else_stays(text: str) -> None:
    assert without_credentials(text) == text


def test_neither_the_message_nor_the_file_has_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        raise ValueError(r"Invalid header value b'Bearer s3cr3t\n'")
    except ValueError as error:
        told = write_bug_report(error)
    (kept,) = tmp_path.glob("shipper/bugs/*.txt")
    assert "s3cr3t" not in told.message + told.hint + kept.read_text()
    assert "ValueError" in kept.read_text()
