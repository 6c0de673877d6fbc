"""YAML of other people: read as kubectl reads it, refused with the line."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.yaml_files import BadYaml, documents

pytestmark = pytest.mark.unit


def value_of(text: str) -> Any:
    (one,) = documents(text, "test.yaml")
    return one.value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0644", 0o644),
        ("0x1f", 31),
        ("1e3", 1000),
        ("1.5", 1.5),
        ("08", 8),
        ("1:30", "1:30"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        ("=", "="),
        ("v1.34", "v1.34"),
        ("-5", -5),
        ('"5"', "5"),
        ("!!str 5", "5"),
    ],
)
def test_a_plain_word_means_what_it_means_to_kubectl(written: str, meant: object) -> None:
    found = value_of(f"value: {written}\n")["value"]
    assert found == meant
    assert type(found) is type(meant)


def test_keys_are_text() -> None:
    assert value_of("8080: a\nyes: b\n2026-01-01: c\n") == {"8080": "a", "yes": "b", "2026-01-01": "c"}


def test_anchors_and_merges_are_resolved() -> None:
    text = "base: &base {a: 1, b: 2}\nmore:\n  <<: *base\n  b: 3\n"
    assert value_of(text)["more"] == {"a": 1, "b": 3}


def test_each_document_knows_its_lines() -> None:
    text = "# a comment\n---\nkind: A\n---\n---\nkind: B\nspec:\n  list:\n  - name: x\n    image: y\n"
    first, second = documents(text, "test.yaml")
    assert (first.line, second.line) == (3, 6)
    assert second.line_at(("spec", "list", 0, "image")) == 10
    assert second.line_at(("spec", "nothing", "here")) == 8


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\na: 2\n", 2, '"a" stands twice'),
        ("a: 1\nb: [1, 2\n", 3, "expected"),
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !secret x\n", 1, "tag"),
        ("a: .nan\n", 1, "no place in a manifest"),
        ("a:\n  ? [1]\n  : 2\n", 2, "a key must be text"),
        ("a: {{ .Values.image }}\n", 1, ""),
        ("a: b\n\x07", 2, "#x0007"),
        ("a: *nothing\n", 1, "undefined alias"),
        ("a: 1\nb: !!int abc\n", 2, "cannot be read as int"),
        ("a: 1\nb: !!int [1]\n", 2, "cannot be read as int"),
        ("a: 1\nb: !!bool maybe\n", 2, "cannot be read as bool"),
        ("a: 1\nb: !!float x\n", 2, "cannot be read as float"),
        (f"a: 1\nb: {'9' * 5000}\n", 2, "cannot be read as int"),
        (f"a: 1\nb: 0x{'f' * 5000}\n", 2, "cannot be read as int"),
        ("a: 1\nb:\n  <<: {? [x] : 1}\n", 3, "a key must be text"),
        ("<<: {? [x] : 1}\n", 1, "a key must be text"),
        ("--- !!map [a]\n", 1, "not what its tag says"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(BadYaml) as caught:
        list(documents(text, "test.yaml"))
    assert caught.value.line == line
    assert words in caught.value.problem


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "a: &a [*a]",
        "a0: &a0 [x]\n" + "".join(f"a{at + 1}: &a{at + 1} [{', '.join([f'*a{at}'] * 9)}]\n" for at in range(9)),
    ],
    ids=["nested without end", "contains itself", "aliases of aliases"],
)
def test_a_text_that_would_fill_the_memory_is_refused(text: str) -> None:
    with pytest.raises(BadYaml):
        list(documents(text, "test.yaml"))
