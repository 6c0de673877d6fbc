"""Fixtures that start only what a test asks for. The rig is found if it is there and made if it is not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.rig.api import Rig

IN_CI = bool(os.environ.get("CI"))


def needed(make: Callable[[], Rig]) -> Rig:
    """A missing part of the rig fails the suite in CI and skips, with the reason, elsewhere."""
    from tests.rig.api import RigError

    try:
        return make()
    except RigError as error:
        if IN_CI:
            raise
        pytest.skip(f"the rig is not complete: {error}")


def needed_or_skipped(reason: str) -> None:
    """What the rig cannot have here fails the suite in CI and skips, with the reason, elsewhere."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def rig() -> Rig:
    """Engine, registry, base image, proxy image, scanner and its database."""
    from tests.rig.api import ensure

    return needed(ensure)


@pytest.fixture(scope="session")
def trivy_rig() -> Rig:
    """The scanner and its database alone: no engine."""
    from tests.rig.api import ensure

    return needed(lambda: ensure(["trivy", "database"]))


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command to its end and keep its output."""

    def running(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, **options)  # type: ignore[call-overload,no-any-return]

    return running
