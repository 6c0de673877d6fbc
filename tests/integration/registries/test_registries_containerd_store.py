"""The same proof with the containerd image store, where an image's id is a manifest digest."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.rig.api import Rig
from tests.rig.isolated import IsolatedEngine

pytestmark = pytest.mark.integration


@pytest.fixture
def isolated(rig: Rig) -> Iterator[IsolatedEngine]:
    running = IsolatedEngine("containerd")

    def start() -> Rig:
        running.start([rig.base_image])
        return rig

    try:
        needed(start)
        yield running
    finally:
        running.stop()


def test_the_proof_holds_in_the_containerd_store(isolated: IsolatedEngine, tmp_path: Path) -> None:
    script = Path(__file__).with_name("publish_inside.py")
    repository = f"{isolated.registry}/images-test/inside"
    root = Path(__file__).parents[3]

    done = isolated.run([sys.executable, script, tmp_path, repository], env={"PYTHONPATH": str(root)}, cwd=root)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "store": "containerd",
        "has": True,
        "same": True,
        "id is not the config digest": True,
        "saved": True,
        "published": True,
        "swapped": f"the registry holds another image under {repository}:t",
        "pruned": True,
        "left": False,
    }
