"""What says how shipper is installed names a checkout: on PyPI the name `shipper` is somebody else's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FOLDERS = ("docs", "examples", "pipelines", "shipper", "deploy-targets", "tools", "tests/rig")
STRANGERS = re.compile(r"shipper\[|(?:pip|pipx|uv tool) install (?:-\S+ )*[\"'`]?shipper\b")


def test_nobody_is_told_to_install_a_strangers_package() -> None:
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in FOLDERS:
        texts += [one for one in (ROOT / folder).rglob("*") if one.suffix in (".md", ".py", ".toml", ".yml", ".yaml")]
    assert len(texts) > 500
    assert [
        f"{one.relative_to(ROOT)}: {line.strip()}"
        for one in texts
        for line in one.read_text().splitlines()
        if STRANGERS.search(line)
    ] == []
