"""Whatever a child writes, in whatever pieces: whole lines come out, and memory stays bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.processes import tail
from shipper.processes.tail import Tail

pytestmark = pytest.mark.unit


@given(st.text(st.characters(blacklist_categories=["Cs"])), st.lists(st.integers(1, 7), min_size=1))
def test_the_pieces_in_which_output_comes_do_not_matter(text: str, sizes: list[int]) -> None:
    data, kept, lines = text.encode(), Tail(10_000), []
    position = turn = 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        lines += kept.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    lines += kept.feed(b"", final=True)

    assert kept.text() == text
    assert lines == [line.rstrip("\r\n") for line in text.removesuffix("\n").split("\n")] if text else lines == []


def test_only_the_last_lines_are_kept_and_the_others_counted() -> None:
    kept = Tail(2)

    lines = kept.feed(b"one\ntwo\nthree\nfour", final=True)

    assert lines == ["one", "two", "three", "four"]
    assert kept.text() == "three\nfour"
    assert kept.dropped == 2


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert Tail(5).feed(b"\xff\xfe bad\n") == ["\ufffd\ufffd bad"]


def test_a_line_without_an_end_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_LINE", 1000)
    monkeypatch.setattr(tail, "MAX_KEPT", 5000)
    kept = Tail(10_000)

    for _ in range(100):
        kept.feed(b"x" * 999)

    assert 4000 <= len(kept.text()) <= 5000
    assert kept.dropped > 0
