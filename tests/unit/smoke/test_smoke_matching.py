"""What counts as the expected JSON answer, and how the first difference is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.targets.matching import difference

pytestmark = pytest.mark.unit

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_every_answer_matches_itself(value: Any) -> None:
    assert difference(value, value) is None


@given(st.dictionaries(st.text(), json_values), st.text(), json_values)
def test_members_that_were_not_asked_for_do_not_matter(wanted: dict[str, Any], name: str, more: Any) -> None:
    assert difference(wanted, {name: more, **wanted}) is None


@given(st.floats(-1e6, 1e6), st.floats(0, 1))
def test_a_number_within_the_tolerance_matches_and_one_beyond_it_does_not(number: float, tolerance: float) -> None:
    allowed = max(tolerance, tolerance * abs(number))
    assert difference(number, number + allowed / 2, tolerance) is None
    assert difference(number, number + allowed * 3 + 1e-3, tolerance) is not None


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ({"prediction": [0]}, {"prediction": [1]}, "$.prediction[0]: expected 0, found 1"),
        ({"a": {"b": 1}}, {"a": {}}, "$.a.b: expected 1, found no such member"),
        ({"a b": 1}, {"a b": 2}, '$["a b"]: expected 1, found 2'),
        ([1, 2, 3], [1, 2], "$: expected 3 elements, found 2: [1, 2]"),
        ({"a": 1}, [1], "$: expected an object, found [1]"),
        ([1], {"a": 1}, '$: expected a list, found {"a": 1}'),
        (True, 1, "$: expected true, found 1"),
        (1, True, "$: expected 1, found true"),
        (0, False, "$: expected 0, found false"),
        ("1", 1, '$: expected "1", found 1'),
        (None, 0, "$: expected null, found 0"),
        (1, float("nan"), "$: expected 1, found NaN"),
        (10**400, 1.0, f"$: expected {'1' + '0' * 58}…, found 1.0"),
    ],
)
def test_the_first_difference_is_told_with_its_path(expected: Any, found: Any, told: str) -> None:
    assert difference(expected, found, 1e-6) == told


def test_an_integer_and_a_float_of_the_same_value_are_the_same_number() -> None:
    assert difference({"n": 1}, {"n": 1.0}) is None


def test_long_values_are_cut() -> None:
    told = difference("short", "x" * 1000)
    assert told is not None
    assert len(told) < 100
    assert told.endswith("…")
