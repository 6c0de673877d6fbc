"""The Role that docs/targets/knative.md gives for a release is what the adapter's table says, no more and no less."""

from pathlib import Path

import pytest
import yaml

from shipper_targets.knative.permissions import ALL, needs

pytestmark = pytest.mark.unit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "targets" / "knative.md"


def test_the_role_for_a_release_is_the_tables() -> None:
    (block,) = (part for part in PAGE.read_text().split("```yaml\n")[1:] if part.startswith("rules:"))
    rules = yaml.safe_load(block.partition("```")[0])["rules"]
    given = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    wanted = {(one.group, one.resource, verb) for one in needs("release", ALL) if not one.wide for verb in one.verbs}
    assert given == wanted
