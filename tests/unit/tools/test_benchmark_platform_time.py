"""What counts as the platform's time: spans from questions to answers, on HTTP/1.1 and on HTTP/2."""

from __future__ import annotations

import pytest

from benchmarks.imports import Imported, imported
from benchmarks.platform_time import Exchange, covered

pytestmark = pytest.mark.unit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE = 0, 1, 3, 4, 8
END_STREAM = 1


class Clock:
    """Says what the test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def frame(kind: int, flags: int, stream: int, payload: bytes = b"x") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def test_overlapping_spans_count_once() -> None:
    assert covered([(5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (2.5, 2.6)]) == 4.0
    assert covered([]) == 0.0


def test_a_question_lasts_from_its_first_byte_to_the_last_one_of_its_answer() -> None:
    clock = Clock()
    exchange = Exchange(clock)
    for now, say, piece in [
        (1.0, exchange.asked, b"POST / HTTP/1.1\r\n"),
        (1.5, exchange.asked, b"body"),
        (2.0, exchange.answered, b"HTTP/1.1 200"),
        (3.0, exchange.answered, b"body"),
        (7.0, exchange.asked, b"GET / HTTP/1.1\r\n"),
        (8.0, exchange.answered, b"HTTP/1.1 200"),
    ]:
        clock.now = now
        say(piece)
    exchange.settle()
    assert exchange.spans == [(1.0, 3.0), (7.0, 8.0)]


def test_a_question_without_an_answer_is_no_span() -> None:
    exchange = Exchange(Clock())
    exchange.asked(b"GET / HTTP/1.1\r\n")
    exchange.settle()
    assert exchange.spans == []


def test_streams_are_questions_and_everything_else_on_the_connection_is_none() -> None:
    clock = Clock()
    exchange = Exchange(clock)
    first = frame(HEADERS, 4, 1)
    for now, say, piece in [
        (0.0, exchange.asked, PREFACE[:9]),
        (0.1, exchange.asked, PREFACE[9:] + frame(SETTINGS, 0, 0, b"")),
        (1.0, exchange.asked, first[:5]),
        (1.2, exchange.asked, first[5:] + frame(DATA, END_STREAM, 1)),
        (1.5, exchange.asked, frame(HEADERS, 4, 3)),
        (2.0, exchange.answered, frame(HEADERS, 4, 1) + frame(DATA, 0, 1)),
        (3.0, exchange.answered, frame(HEADERS, END_STREAM | 4, 1)),
        (3.1, exchange.asked, frame(WINDOW_UPDATE, 0, 0, b"0000")),
        (4.0, exchange.answered, frame(RST_STREAM, 0, 3, b"0000")),
        (9.0, exchange.answered, frame(SETTINGS, 1, 0, b"")),
    ]:
        clock.now = now
        say(piece)
    exchange.settle()
    assert exchange.spans == [(1.2, 3.0), (1.5, 4.0)]


def test_imports_are_summed_by_package_below_the_namespaces() -> None:
    said = """\
import time: self [us] | cumulative | imported package
import time:       900 |        900 |     google.cloud.run_v2.types
import time:      2100 |       3000 |   google.cloud.run_v2
import time:       100 |        100 |   google
import time:      1500 |       4600 | httpx
something else on the standard error
"""
    assert imported(said) == [
        Imported("google.cloud.run_v2", 3.0, 3.0),
        Imported("httpx", 1.5, 4.6),
        Imported("google", 0.1, None),
    ]
