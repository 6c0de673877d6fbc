"""Every key of any valid TOML is found on the line and column where it is written."""

from __future__ import annotations

import json
import string
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.positions import MAX_DEPTH, KeyPath, Position, scan

pytestmark = pytest.mark.unit

Draw = Callable[[st.SearchStrategy[Any]], Any]

BARE = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=4)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SPACE = st.sampled_from(["", " ", "\t", "  "])
# Things that look like keys and tables inside of values are what a careless scanner trips over.
TRAPS = [
    '"""\n[a]\nb = 1\n"""',
    "'''\n]\n# c = 1'''",
    '"x # = [y]"',
    "'a\"'",
    '"\\""',
    '""""q""""',
    '"""a\\\n  b"""',
    '""',
]
PLAIN = ["1", "0x1f", "1_000", "3.5e-7", "inf", "nan", "true", "1979-05-27 07:32:00", "07:32:00", "1979-05-27"]


class Writer:
    """Writes TOML and remembers where it put each key."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[KeyPath, Position] = {}

    def put(self, text: str) -> None:
        self.text += text

    def mark(self, path: KeyPath) -> None:
        line_start = self.text.rfind("\n") + 1
        self.places[path] = Position(self.text.count("\n") + 1, len(self.text) - line_start + 1)

    def space(self, *, lines: bool = False) -> None:
        self.put(self.draw(SPACE))
        if lines and self.draw(st.booleans()):
            self.put(self.draw(st.sampled_from(["\n", " # [comment] = 1\n", "\n\n"])))

    def name(self, taken: set[str]) -> str:
        return str(self.draw(st.one_of(BARE, ANY_TEXT).filter(lambda name: name not in taken)))

    def key(self, path: KeyPath) -> None:
        """The last part of the path, bare or quoted."""
        name = str(path[-1])
        bare = name.isascii() and name != "" and all(char in string.ascii_letters + "_-0123456789" for char in name)
        self.mark(path)
        if bare and self.draw(st.booleans()):
            self.put(name)
        elif name.isprintable() and "'" not in name and self.draw(st.booleans()):
            self.put(f"'{name}'")
        else:
            self.put(quoted(name))

    def pair(self, table: KeyPath, taken: set[str], depth: int, *, inline: bool = False) -> None:
        """`key = value` or `key.key = value`."""
        name = self.name(taken)
        taken.add(name)
        path = (*table, name)
        self.key(path)
        if self.draw(st.integers(0, 3)) == 0:
            self.space()
            self.put(".")
            self.space()
            path = (*path, self.name(set()))
            self.key(path)
        self.space()
        self.put("=")
        self.space()
        self.value(path, depth)
        if not inline:
            self.put(self.draw(st.sampled_from(["\n", " # x = 1\n", "\n\n"])))

    def value(self, path: KeyPath, depth: int) -> None:
        shape = self.draw(st.integers(0, 5)) if depth else 0
        if shape == 5:
            self.inline_table(path, depth - 1)
        elif shape == 4:
            self.array(path, depth - 1)
        else:
            text = st.one_of(st.sampled_from(TRAPS + PLAIN), ANY_TEXT.map(quoted))
            self.put(self.draw(text))

    def array(self, path: KeyPath, depth: int) -> None:
        self.put("[")
        for index in range(self.draw(st.integers(0, 3))):
            self.put("," if index else "")
            self.space(lines=True)
            self.mark((*path, index))
            self.value((*path, index), depth)
            self.space(lines=True)
        self.put("]")

    def inline_table(self, path: KeyPath, depth: int) -> None:
        self.put("{")
        taken: set[str] = set()
        for index in range(self.draw(st.integers(0, 2))):
            self.put("," if index else "")
            self.space()
            self.pair(path, taken, depth, inline=True)
            self.space()
        self.put("}")

    def header(self, path: KeyPath, shown: KeyPath, *, array: bool) -> None:
        """`[a.b]`: `path` is with the indices of arrays, `shown` without."""
        brackets = 2 if array else 1
        self.space()
        self.put("[" * brackets)
        for index in range(len(shown)):
            self.put("." if index else "")
            self.space()
            if index + 1 == len(shown):
                self.mark(path)
            self.put(quoted(str(shown[index])))
            self.space()
        self.put("]" * brackets + "\n")


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def documents(draw: Draw) -> tuple[str, dict[KeyPath, Position]]:
    """A valid TOML text, and where each of its keys is."""
    writer = Writer(draw)
    taken: set[str] = set()
    for _ in range(draw(st.integers(0, 2))):
        writer.pair((), taken, depth=2)
    for _ in range(draw(st.integers(0, 2))):
        table(writer, taken)
    for _ in range(draw(st.integers(0, 1))):
        list_of_tables(writer, taken)
    return writer.text, writer.places


def table(writer: Writer, taken: set[str]) -> None:
    name = writer.name(taken)
    taken.add(name)
    writer.header((name,), (name,), array=False)
    own: set[str] = set()
    for _ in range(writer.draw(st.integers(0, 2))):
        writer.pair((name,), own, depth=2)
    inner = writer.name(own)
    writer.header((name, inner), (name, inner), array=False)
    writer.pair((name, inner), set(), depth=1)


def list_of_tables(writer: Writer, taken: set[str]) -> None:
    name = writer.name(taken)
    taken.add(name)
    for index in range(writer.draw(st.integers(1, 3))):
        path: KeyPath = (name, index)
        writer.header(path, (name,), array=True)
        writer.places.setdefault((name,), writer.places[path])
        own: set[str] = set()
        writer.pair(path, own, depth=1)
        inner = writer.name(own)
        writer.header((*path, inner), (name, inner), array=False)
        writer.pair((*path, inner), set(), depth=1)


def paths_of(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    here = {path} if path else set()
    if isinstance(value, Mapping):
        return here.union(*(paths_of(child, (*path, key)) for key, child in value.items()))
    if isinstance(value, list):
        return here.union(*(paths_of(child, (*path, index)) for index, child in enumerate(value)))
    return here


@settings(max_examples=80)
@given(documents())
def test_each_key_is_found_where_it_is_written(document: tuple[str, dict[KeyPath, Position]]) -> None:
    text, places = document

    found = scan(text).found

    assert set(found) == paths_of(tomllib.loads(text))
    assert found == places


@settings(max_examples=150)
@given(st.text(st.sampled_from("[]{}=.,'\"\\#ab1 \n\t")))
def test_what_is_no_toml_never_breaks_the_scanner(text: str) -> None:
    positions = scan(text)

    try:
        valid = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    assert set(positions.found) == paths_of(valid)


def test_a_table_is_where_its_own_header_is() -> None:
    found = scan("[a.b]\nx = 1\n\n[a]\ny = 2\n").found

    assert found[("a",)] == Position(4, 2)
    assert found[("a", "b")] == Position(1, 4)


def test_a_missing_key_is_looked_for_at_the_closest_table_around_it() -> None:
    positions = scan('service = "iris"\n\n[run]\nport = 1\n')

    assert positions.nearest(("run", "memory")) == Position(3, 2)
    assert positions.nearest(("scan",)) is None


def test_a_key_that_is_there_twice_is_told_with_its_first_place() -> None:
    assert scan("a = 1\nb = 2\na = 3\n").repeated == {Position(3, 1): Position(1, 1)}


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 200, "a = " + "{a=" * 200, "a." * 200 + "a = 1", "[" + "a." * 200 + "a]"]
)
def test_depth_is_bounded_before_tomllib_sees_the_text(text: str) -> None:
    assert scan("b = 1\n" + text).too_deep is not None


def test_what_is_just_deep_enough_is_read() -> None:
    depth = MAX_DEPTH - 1

    assert scan("a = " + "[" * depth + "]" * depth).too_deep is None
