"""Parts of the rig for its own tests: a part that cannot be had fails the suite in CI and skips elsewhere."""

from __future__ import annotations

import os

import pytest

from tests.rig.api import Rig, RigError, ensure


def need(*parts: str) -> Rig:
    """The rig with these parts."""
    try:
        return ensure(parts)
    except RigError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the rig cannot have {', '.join(parts)}: {error}")


@pytest.fixture(scope="session")
def scanner() -> Rig:
    """A rig with Trivy and the generated database."""
    return need("trivy", "database")


@pytest.fixture(scope="session")
def images() -> Rig:
    """A rig with an engine, a registry and both images."""
    return need("engine", "registry", "base image", "proxy image")
