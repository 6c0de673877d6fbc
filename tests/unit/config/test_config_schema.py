"""The JSON Schema and the reference page say the same as the loader does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipper.config import json_schema, load, reference_markdown, validate
from shipper.config.sections import SECTIONS
from tests.unit.config.files import written

pytestmark = pytest.mark.unit


def properties(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                yield from value.items()
            yield from properties(value)


def test_the_schema_has_every_section_and_closes_every_table() -> None:
    schema = json_schema()

    assert set(schema["properties"]) == {"service", "target", *SECTIONS, "targets", "environments"}
    assert schema["required"] == ["service"]
    tables = [schema, *schema["$defs"].values(), schema["properties"]["environments"]["additionalProperties"]]
    assert all(table["additionalProperties"] is False for table in tables)


def test_every_key_is_described() -> None:
    keys = [(name, node) for name, node in properties({"$defs": json_schema()["$defs"]})]

    assert len(keys) > 40
    assert [name for name, node in keys if not node.get("description")] == []


def test_a_size_may_be_a_number_or_a_text_with_a_unit() -> None:
    memory = json_schema()["$defs"]["RunSettings"]["properties"]["memory"]

    number, text = memory["anyOf"][0]["anyOf"]
    assert (number["type"], text["type"]) == ("integer", "string")


def test_our_own_keywords_do_not_leave_the_house() -> None:
    assert "'expected'" not in str(json_schema())
    assert "'title'" not in str(json_schema()["$defs"])


def test_every_reference_leads_somewhere() -> None:
    schema = json_schema()
    references = {part.split("'")[0] for part in str(schema).split("#/$defs/")[1:]}

    assert references
    assert references <= set(schema["$defs"])


def test_the_page_has_a_row_for_every_key() -> None:
    page = reference_markdown()

    for name in SECTIONS:
        assert f"## `[{name}]`" in page
    for key, _ in properties({"$defs": json_schema()["$defs"]}):
        assert f"| `{key}` |" in page


def test_the_example_on_the_page_is_a_configuration(tmp_path: Path) -> None:
    example = reference_markdown().split("```toml\n")[1].split("```")[0]
    path = written(tmp_path, example)

    assert validate(path) == []
    assert load(path, environment="production").run.memory == 10**9
