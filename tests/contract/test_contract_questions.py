"""What the rig believes of Cloud Run is so: each belief that could not be verified is a question to a real project.

A test that fails here says that the rig, and perhaps the adapter, must change; the report has the platform's words.
"""

from __future__ import annotations

import os

import pytest

from tests.contract.images import Images
from tests.contract.project import NEEDED, Project, project_of
from tests.contract.questions import QUESTIONS, Bench, Question
from tests.contract.report import Report

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(project_of(os.environ) is None, reason=NEEDED),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name.replace(" ", "-"))
def test_the_rig_is_right_about(question: Question, contract: tuple[Project, Images, Report]) -> None:
    project, images, report = contract
    bench = Bench(project, images)
    try:
        found = question.answer(bench)
    finally:
        bench.close()
    report.answered(question.name, question.asked, question.believed, found, bench.by_hand.refusals)
    assert found == question.believed, f"{question.asked} The rig believes: {question.believed}. Found: {found}"
