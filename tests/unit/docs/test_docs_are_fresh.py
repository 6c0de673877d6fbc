"""The reference pages are what the code says today, and links between pages lead somewhere."""

import re
from pathlib import Path

import pytest

from tools.generate_docs import REFERENCE, pages

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    fresh = pages()[name]()
    committed = (REFERENCE / name).read_text()
    assert committed.endswith(fresh), f"docs/reference/{name} is out of date: make docs"


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name)
def test_every_relative_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    broken = [target for target in targets if not (page.parent / target).exists()]
    assert broken == []
