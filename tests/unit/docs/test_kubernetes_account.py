"""The account of the page about permissions is what a release needs, as a file that can be applied."""

from __future__ import annotations

import pytest
import yaml

from shipper_targets.kubernetes.permissions import COMMANDS, Need, Uses, needs, required, role
from tools.kubernetes_roles import account, page

pytestmark = pytest.mark.unit


def test_the_account_of_the_example_may_release() -> None:
    assert account() in page()
    service_account, may, binding = yaml.safe_load_all(account())
    assert may == role("releaser", "models", required(needs("release", Uses(account=True))))
    assert binding["roleRef"]["name"] == may["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", **service_account["metadata"]}]


@pytest.mark.parametrize("command", COMMANDS)
def test_whoever_may_release_may_do_everything_else(command: str) -> None:
    def verbs(of: str) -> set[tuple[str, str, str]]:
        every: tuple[Need, ...] = required(needs(of, Uses(account=True, variables=True, ingress=True, gateway=True)))
        return {(one.group, one.resource, verb) for one in every for verb in one.verbs}

    assert verbs(command) <= verbs("release")
