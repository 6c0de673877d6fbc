"""A plan asks for what it needs itself, and says what a release would lack; a release is refused for that."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from shipper.model import Problem
from shipper_targets.kubernetes import preflight_parts
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import DEPLOYMENT, NODE, SECRET
from shipper_targets.kubernetes.permissions import Need, need
from shipper_targets.kubernetes.preflight_parts import Command, permission_problems

pytestmark = pytest.mark.unit

LOOK = need(NODE, ("list",), why="the nodes' architectures")
NEEDS: dict[Command, tuple[Need, ...]] = {
    "plan": (need(DEPLOYMENT, ("get", "patch")), LOOK),
    "release": (need(DEPLOYMENT, ("get", "patch", "delete")), need(SECRET, ("create",)), LOOK),
}


def asked(monkeypatch: pytest.MonkeyPatch, command: Command, *allowed: str) -> tuple[list[Problem], list[str]]:
    """With the permission to do these with Deployments."""

    class Access:
        def __init__(self, api: Api) -> None:
            pass

        def missing(self, many: Iterable[Need]) -> list[Need]:
            left = [
                (one, [verb for verb in one.verbs if one.resource != "deployments" or verb not in allowed])
                for one in many
            ]
            return [Need(one.group, one.resource, tuple(verbs), one.wide, one.why) for one, verbs in left if verbs]

    told: list[str] = []
    monkeypatch.setattr(preflight_parts, "Access", Access)
    return permission_problems(Api.__new__(Api), NEEDS.__getitem__, command, "shops", told.append), told


def test_a_plan_goes_on_without_what_only_a_release_needs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    problems, told = asked(monkeypatch, "plan", "get", "patch")
    assert problems == []
    assert told == [
        "not known beforehand, for want of the permission: the nodes' architectures (list nodes)",
        "a release would be refused (32), without the permission to delete deployments.apps; create secrets",
    ]


def test_a_release_is_refused_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    problems, told = asked(monkeypatch, "release", "get", "patch")
    assert [(one.code, one.message) for one in problems] == [
        (32, "permission to delete deployments.apps in namespace shops is missing"),
        (32, "permission to create secrets in namespace shops is missing"),
    ]
    assert len(told) == 1


def test_a_plan_that_may_not_look_itself_is_refused_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    problems, _ = asked(monkeypatch, "plan", "get")
    assert [one.message for one in problems] == ["permission to patch deployments.apps in namespace shops is missing"]
