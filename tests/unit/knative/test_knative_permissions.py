"""The table of what each command may do: no write where none is made, and optional where it is only told earlier."""

from __future__ import annotations

import pytest

from shipper_targets.knative.permissions import ALL, COMMANDS, Uses, needs
from shipper_targets.kubernetes.permissions import required
from tools.knative_roles import page

pytestmark = pytest.mark.unit


def verbs(command: str, resource: str, uses: Uses = ALL) -> set[str]:
    return {verb for one in required(needs(command, uses)) if one.resource == resource for verb in one.verbs}


def test_a_plan_deletes_nothing_and_makes_no_revision() -> None:
    assert verbs("plan", "services") == {"get", "create", "patch"}  # dry runs
    assert verbs("plan", "revisions") == {"get", "list"}


@pytest.mark.parametrize(("command", "service"), [("gc", {"get", "patch"}), ("remove", {"get", "delete"})])
def test_who_cleans_up_makes_nothing(command: str, service: set[str]) -> None:
    assert verbs(command, "services") == service


@pytest.mark.parametrize("command", COMMANDS)
def test_only_who_writes_may_write(command: str) -> None:
    writes = {"create", "patch", "delete"} & verbs(command, "services")
    assert bool(writes) == (command in ("plan", "release", "rollback", "gc", "remove"))


def test_a_command_before_a_release_needs_its_pod() -> None:
    assert verbs("release", "pods") == {"get", "list", "watch"}
    assert verbs("release", "pods", Uses()) == {"list"}


def test_the_page_tells_what_is_asked_beside_too() -> None:
    earlier = page().partition("## Told earlier")[2]
    assert [line for line in earlier.splitlines() if "pods/proxy" in line and "what serves has failed" in line]


def test_with_an_address_pods_are_asked_only_beside_what_has_failed() -> None:
    assert verbs("release", "pods/proxy", Uses()) == set()
    assert [one.why for one in needs("release", Uses()) if one.resource == "pods/proxy"] == [
        "whether a new revision answers while what serves has failed"
    ]
    assert verbs("release", "pods/proxy", Uses(inside=True)) == {"get", "create"}
