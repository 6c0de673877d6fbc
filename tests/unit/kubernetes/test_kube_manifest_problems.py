"""What is said of own manifests that cannot be used: a sentence, wherever it stands."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError
from shipper_targets.kubernetes.own_problems import ManyProblems, mend, told
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

WHERE = ("deploy/app.yaml, line 4: Deployment/web", "deploy/app.yaml, line 44: Deployment/worker")


def test_where_it_looked_comes_with_what_it_looked_for() -> None:
    assert told(ConfigError("2 Deployments run x", hint="say which", details=WHERE)) == (
        f"2 Deployments run x: {'; '.join(WHERE)}",
    )


def test_each_mistake_is_a_problem_by_itself() -> None:
    assert told(ManyProblems("these manifests cannot be applied", hint="correct the file", details=WHERE)) == WHERE


def test_without_a_place_it_is_what_is_wrong() -> None:
    assert told(ConfigError("kustomize failed", hint="see its words")) == ("kustomize failed",)


def test_what_to_do_about_them_depends_on_where_they_are_from() -> None:
    assert mend(own(manifests=["k8s"])) == "correct the file at that line"
    assert "run `kubectl kustomize 'my overlays'` by hand" in mend(
        own(manifests_command=["kubectl", "kustomize", "my overlays"])
    )
