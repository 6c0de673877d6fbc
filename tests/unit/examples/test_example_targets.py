"""What the example's README adds for a target is a configuration that the target takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shipper.config import check_target_settings, load
from shipper.model import Problem, Settings, TargetSettings
from shipper_targets.cloudrun.limits import limit_problems as cloudrun_problems
from shipper_targets.cloudrun.settings import CloudRunSettings
from shipper_targets.knative.cluster import Cluster
from shipper_targets.knative.limits import limit_problems as knative_problems
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.limits import limit_problems as kubernetes_problems
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.examples import EXAMPLES, documented
from tests.unit.knative.knative_objects import release_of

pytestmark = pytest.mark.unit

Problems = Callable[[Settings, Any], Sequence[Problem]]


def on_knative(settings: Settings, own: KnativeSettings) -> Sequence[Problem]:
    return knative_problems(release_of(settings), own, "iris", Cluster())


@pytest.mark.parametrize(
    ("heading", "kind", "model", "problems"),
    [
        ("On Cloud Run", "cloudrun", CloudRunSettings, cloudrun_problems),
        ("On a Kubernetes cluster", "kubernetes", KubernetesSettings, kubernetes_problems),
        ("On Knative", "knative", KnativeSettings, on_knative),
    ],
)
def test_the_target_takes_it(tmp_path: Path, heading: str, kind: str, model: Any, problems: Problems) -> None:
    path = tmp_path / "shipper.toml"
    path.write_text((EXAMPLES / "iris" / "shipper.toml").read_text() + "\n" + documented("iris", heading))

    settings = load(path, environment="production")
    target: TargetSettings = settings.targets[kind]

    assert target.kind == kind
    assert settings.image.repository
    assert problems(settings, check_target_settings(path, settings, target, model)) == []
