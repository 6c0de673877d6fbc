"""What is sent is JSON and YAML at once."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from shipper_targets.kubernetes.bodies import as_bytes

pytestmark = pytest.mark.unit

NASTY = "🚢 e\u0301 \u202e \x7f \x85 \u2028 \u2029 \ufeff \ufffe \uffff \\ud83d \\\\ \" ' \t \n"


@given(some.text(some.characters(exclude_categories=["Cs"])))
def test_any_text_is_read_back_as_json_and_as_yaml(text: str) -> None:
    sent = as_bytes({"a": [text]})
    assert json.loads(sent) == {"a": [text]}
    assert yaml.safe_load(sent.decode()) == {"a": [text]}


def test_what_has_gone_wrong_before() -> None:
    assert yaml.safe_load(as_bytes(NASTY).decode()) == NASTY
    assert b"\\ud83d\\udea2" not in as_bytes("🚢")
