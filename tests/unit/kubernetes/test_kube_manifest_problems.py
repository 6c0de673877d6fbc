"""What preflight says of own manifests that cannot be used: a sentence, wherever it stands."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError
from shipper_targets.kubernetes.own_manifests import CANNOT_BE_APPLIED
from shipper_targets.kubernetes.preflight import manifest_problems

pytestmark = pytest.mark.unit

WHERE = ("deploy/app.yaml, line 4: Deployment/web", "deploy/app.yaml, line 44: Deployment/worker")


def test_where_it_looked_comes_with_what_it_looked_for() -> None:
    (found,) = manifest_problems(ConfigError("2 Deployments run x", hint="say which", details=WHERE))
    assert found.message == f"2 Deployments run x: {'; '.join(WHERE)}"
    assert (found.key, found.hint) == ("targets.manifests", "say which")


def test_each_mistake_is_a_problem_by_itself() -> None:
    found = manifest_problems(ConfigError(CANNOT_BE_APPLIED, hint="correct them", details=WHERE))
    assert [one.message for one in found] == list(WHERE)


def test_without_a_place_it_is_what_is_wrong() -> None:
    (found,) = manifest_problems(ConfigError("kustomize failed", hint="see its words"))
    assert found.message == "kustomize failed"
