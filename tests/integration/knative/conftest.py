"""A place on the rig's Knative whose pods do what a test says; good ones unless it says else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.knative.knative_place import KnativePlace
from tests.rig.kubernetes.handle import KubeRig


@pytest.fixture
def place(knative_rig: KubeRig) -> Iterator[KnativePlace]:
    namespace = knative_rig.namespace("kn")
    knative_rig.nodes.behave("good", namespace=namespace)
    knative_rig.nodes.time_factor(0.05, namespace)
    yield KnativePlace(knative_rig, namespace)
    knative_rig.drop(namespace)
