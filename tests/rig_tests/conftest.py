"""What several tests of the rig's Google Cloud start from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.rig.google.server import Google


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """A Google Cloud in this process, of which a script says how instances start."""
    from tests.rig.google.cloudrun import scripted
    from tests.rig.google.server import running

    with running(tmp_path_factory.mktemp("google"), step=0.01, make=scripted.make) as made:
        yield made
