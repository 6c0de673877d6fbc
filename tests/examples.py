"""What the examples' own pages say, so that tests do just that."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def documented(name: str, heading: str) -> str:
    """What the example's README says under this heading that shipper.toml gets."""
    text = (EXAMPLES / name / "README.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = section.partition("```toml\n")[2].partition("```")[0]
    assert block, f"the README of {name} says nothing about {heading!r}"
    return block
