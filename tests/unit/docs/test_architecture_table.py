"""The table of docs/architecture.md has every member of the Target protocol, and a cell for each of six platforms."""

import re
from pathlib import Path
from typing import Any

import pytest

from shipper.targets import protocol

pytestmark = pytest.mark.unit


def is_protocol(found: Any) -> bool:
    return getattr(found, "_is_protocol", False) and found.__module__ == protocol.__name__


PLATFORMS = ("docker", "kubernetes", "knative", "cloudrun", "lambda", "ecs")
PROTOCOLS = tuple(name for name, found in vars(protocol).items() if is_protocol(found))
NEEDED = ("Target", "TargetKind")


def rows() -> list[list[str]]:
    """The table's rows as cells, its head first."""
    page = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
    table = page.read_text().split("#### Every member on six platforms")[1].split("\n\n| member")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in f"| member{table}".splitlines()]


def members() -> set[str]:
    """The public members of the seam's protocols."""
    classes = (vars(getattr(protocol, name)) for name in PROTOCOLS)
    return {member for body in classes for member in body if not member.startswith("_")}


def test_the_table_names_the_six_platforms() -> None:
    assert tuple(cell.split(" ")[0] for cell in rows()[0][1:]) == PLATFORMS


def test_every_member_has_a_row() -> None:
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])}
    assert members() - named == set()


def test_no_row_names_a_member_that_is_gone() -> None:
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[0])}
    assert named - members() == set()


def test_no_cell_is_empty() -> None:
    empty = [row[0] for row in rows() if len(row) != 7 or not all(row)]
    assert empty == []


def test_only_an_optional_power_may_be_missing_on_a_platform() -> None:
    powers = [name for name in PROTOCOLS if name not in NEEDED]
    optional = re.compile(rf"\((R|S)\)|\(({'|'.join(powers)})\)")
    missing = [row[0] for row in rows() if "-" in row[1:] and not optional.search(row[0])]
    assert missing == []
