"""Every rule of ours that refuses something is met by a case of the table that Knative's own webhook is given, too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from shipper_targets.knative import rules, rules_container, rules_pod, rules_probe, rules_scaling
from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.violations import Violation
from tests.integration.knative.knative_cases import REFUSED, changed, valid

pytestmark = pytest.mark.unit

MODULES = (rules, rules_container, rules_pod, rules_probe, rules_scaling)
REFUSES = {"Violation", "no", "_not_here", "not_of", "outside", "unknown"}
"""What makes a violation."""
ELSEWHERE = ("config-features: multi-container", "found.no('max-scale', ")
"""Parts of what only a cluster that is configured otherwise refuses: there is no asking its webhook."""

Line = tuple[str, int]


def test_each_rule_is_met_by_a_case_that_the_webhook_is_given_too(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: set[Line] = set()
    make = Violation.__init__

    def noted(self: Violation, *words: Any, **named: Any) -> None:
        passed.update(_lines(sys._getframe(1)))
        make(self, *words, **named)

    monkeypatch.setattr(Violation, "__init__", noted)
    for name, changes in REFUSED.items():
        assert rules.violations(changed(valid("shops"), changes), Cluster()), name

    never = [rule for rule, lines in _rules() if not lines & passed]
    assert [rule for rule in never if not any(part in rule for part in ELSEWHERE)] == []
    assert len(never) == len(ELSEWHERE), never


def _rules() -> Iterator[tuple[str, set[Line]]]:
    """Each place where something is refused, as it is written, and its lines."""
    for module in MODULES:
        file = str(module.__file__)
        for node in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in REFUSES:
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield f"{Path(file).name}: {ast.unparse(node)}", {(file, line) for line in lines}


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""


def _lines(frame: FrameType | None) -> Iterator[Line]:
    """Where we are, and whoever waits for us."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
