"""Hosts with the tiny service, reached through the proxies of the kill harness."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Host, free_port
from tests.e2e.killing.tiny_place import TinyPlace
from tests.rig.api import Rig
from tests.rig.killing import KillPoints

_NUMBERS = itertools.count()


@pytest.fixture
def points(rig: Rig) -> Iterator[KillPoints]:
    """Proxies before the rig's engine."""
    with KillPoints(rig.docker_host) as made:
        yield made


@pytest.fixture
def new_place(shipper: Path, rig: Rig, points: KillPoints, tmp_path: Path) -> Iterator[Callable[[], TinyPlace]]:
    """Makes places; what they made is removed at the end."""
    made: list[TinyPlace] = []

    def new() -> TinyPlace:
        number = next(_NUMBERS)
        home = tmp_path / f"home{number}"
        home.mkdir()
        host = Host(shipper, rig, f"kill{os.getpid()}-{number}", free_port(), home)
        made.append(TinyPlace(host, points, tmp_path / f"tiny{number}"))
        return made[-1]

    yield new
    for place in made:
        place.host.clean_up()


@pytest.fixture
def place(new_place: Callable[[], TinyPlace]) -> TinyPlace:
    """One place with nothing on it yet."""
    return new_place()
