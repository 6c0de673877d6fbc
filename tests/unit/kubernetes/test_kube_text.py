"""Manifests as YAML: the same bytes, and the same values to every reader."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shipper_targets.kubernetes.text import yaml_text
from shipper_targets.kubernetes.yaml_files import documents

pytestmark = pytest.mark.unit

MANY = hypothesis_settings(max_examples=150)

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_plain = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), _texts)
_values = st.recursive(
    _plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=10,
)
_objects = st.dictionaries(_texts, _values, min_size=1, max_size=4)


def read_by_kubernetes(text: str) -> Any:
    """As our own reader has it, which follows kubectl's."""
    (one,) = documents(text, "test")
    return one.value


@MANY
@given(_objects)
def test_whatever_is_in_it_reads_back_equal(value: dict[str, Any]) -> None:
    text = yaml_text(value)
    assert yaml.safe_load(text) == value
    assert read_by_kubernetes(text) == value


@MANY
@given(_objects)
def test_the_order_in_which_it_was_made_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert yaml_text(value) == yaml_text(turned)


@pytest.mark.parametrize(
    "word",
    [
        "yes", "y", "N", "on", "Off", "true", "null", "~", "", "1", "1.0", "1e3", "0x1f", "0o17", "017", "1:30",
        "2026-11-21", ".inf", ".nan", "-", "=", "<<", "!tag", "*a", "&a", "@a", "`a", "%a", " a", "a ", "a: b", "a #b",
        "a:", "12345e7", "08", "+1",
    ],
)  # fmt: skip
def test_words_that_a_reader_may_take_for_something_else_are_quoted(word: str) -> None:
    assert yaml_text({"value": word}).startswith('value: "')
    assert f'"{word}"' in yaml_text({word: "value"})


@pytest.mark.parametrize("word", ["shop", "apps/v1", "app.kubernetes.io/name", "500m", "512Mi", "25%", "a@sha256:ab"])
def test_words_that_are_text_to_everybody_are_not(word: str) -> None:
    assert yaml_text({"value": word}) == f"value: {word}\n"


def test_several_lines_stand_as_they_are() -> None:
    assert yaml_text({"data": {"a.conf": "one\n  two\n\nthree\n"}}) == (
        "data:\n  a.conf: |\n    one\n      two\n\n    three\n"
    )


def test_what_people_look_for_first_comes_first() -> None:
    body = {"spec": {"b": 1, "a": 2}, "kind": "Thing", "metadata": {"labels": {}, "name": "x"}, "apiVersion": "v1"}
    assert list(yaml.safe_load(yaml_text(body))) == ["apiVersion", "kind", "metadata", "spec"]
    assert yaml_text(body).index("name: x") < yaml_text(body).index("labels")
