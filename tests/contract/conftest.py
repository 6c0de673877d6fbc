"""One project, one set of images and one report for all of a session's contract tests; nothing stays behind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contract.images import Images
from tests.contract.leftovers import clean_up, sweep
from tests.contract.project import Project, project_of
from tests.contract.report import Report


@pytest.fixture(scope="session")
def contract() -> Iterator[tuple[Project, Images, Report]]:
    """Leftovers of earlier runs go first, and everything of this one at the end, also after a failure."""
    project = project_of(os.environ)
    assert project is not None, "tests that take this are skipped without a project"
    report = Report(project)
    report.deleted += sweep(project)
    try:
        yield project, Images(project), report
    finally:
        report.deleted += clean_up(project)
        report.write()
