"""A second engine at the other end of ssh: released, asked and rolled back from here, built here or there."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needed_or_skipped
from tests.e2e.conftest import Host
from tests.e2e.machine import Ended
from tests.e2e.projects import write_service
from tests.rig.api import Rig, RigError
from tests.rig.ssh_engine import SshEngine

pytestmark = pytest.mark.e2e

PORT = 8080


@pytest.fixture(scope="module")
def other_machine(rig: Rig) -> Iterator[SshEngine]:
    made = SshEngine()
    try:
        made.start()
    except RigError as error:
        made.stop()
        needed_or_skipped(f"a second engine cannot be had here: {error}")
    yield made
    made.stop()


class Far:
    """The service shop on the other machine, which this one reaches over ssh alone."""

    def __init__(self, engine: SshEngine, shipper: Path, rig: Rig, folder: Path) -> None:
        home = folder / "home"
        home.mkdir()
        (folder / "empty").mkdir()
        self.engine = engine
        self.folder = folder
        self.host = Host(shipper, rig, home, "unused", PORT, environment=dict(engine.env()))
        self.url = f"{engine.url}?namespace=shop-ssh&port={PORT}"

    def release(self, version: str, *, env: Mapping[str, str] | None = None, **settings: Any) -> Ended:
        """From here, where the project is."""
        own: dict[str, Any] = {"kind": "docker", "namespace": "shop-ssh", "port": PORT}
        own |= {"host": self.engine.url, **settings.pop("own", {})}
        own = {name: value for name, value in own.items() if value is not None}
        whole = {"run": {"env": {"SHOP_LEVEL": version}}, "targets": {"far": own}, **settings}
        write_service(self.folder / "shop", version=version, settings=whole)
        return self.host.release(self.folder / "shop", env=env)

    def command(self, *words: str, **env: str) -> Ended:
        """From an empty directory, by the service's name and the address alone."""
        return self.host.run(
            *words, "--json", "--service", "shop", "--target", self.url, cwd=self.folder / "empty", env=env
        )

    def serves(self) -> tuple[str, str]:
        """Version and level, as a user on that machine sees them."""
        _, _, version = self.engine.ask(f"http://127.0.0.1:{PORT}/", host="shop.localhost")
        _, _, level = self.engine.ask(f"http://127.0.0.1:{PORT}/env?name=SHOP_LEVEL", host="shop.localhost")
        return json.loads(version)["version"], json.loads(level)["value"]


@pytest.fixture
def far(other_machine: SshEngine, shipper: Path, rig: Rig, tmp_path: Path) -> Iterator[Far]:
    """Nothing of the service is there yet, and nothing is left there afterwards."""
    made = Far(other_machine, shipper, rig, tmp_path)
    yield made
    gone = made.command("remove", "--yes")
    assert gone.code == 0, gone


def moved(ended: Ended) -> bool:
    told = [event["text"] for event in ended.events if event["event"] == "stage-progress"]
    return any(text.startswith("moving the image") for text in told)


def test_an_image_that_is_built_here_is_streamed_there_and_rolled_back_there(far: Far) -> None:
    first = far.release("1")
    assert first.code == 0, first
    assert moved(first)
    assert first.finished["serves"]["proof"] == "identity"
    second = far.release("2")
    assert second.code == 0, second
    assert far.serves() == ("2", "2")

    back = far.command("rollback")

    assert back.code == 0, back
    assert (back.finished["serves"]["rollback_to"], back.finished["serves"]["proof"]) == (1, "identity")
    assert back.finished["serves"]["revision"] == first.finished["serves"]["revision"]
    assert far.serves() == ("1", "1")
    assert far.command("verify").code == 0


def test_through_a_registry_the_other_engine_pulls_what_was_pushed_here(far: Far) -> None:
    registry = far.engine.registry or far.engine.share_registry()
    image = {"repository": f"{registry}/team/shop"}
    own = {"bind": "0.0.0.0"}
    far.url += "&bind=0.0.0.0"
    first = far.release("1", image=image, own=own)
    assert first.code == 0, first
    assert not moved(first)
    assert first.finished["serves"]["proof"] == "identity"
    assert asked_from_here(first)["version"] == "1"
    second = far.release("2", image=image, own=own)
    assert second.code == 0, second

    back = far.command("rollback", DOCKER_HOST="unix:///nowhere.sock")  # no engine here is needed for it

    assert back.code == 0, back
    assert back.finished["serves"]["proof"] == "identity"
    assert asked_from_here(back)["version"] == "1"


def test_where_the_engine_there_builds_nothing_moves(far: Far) -> None:
    there = {"DOCKER_HOST": far.engine.url}

    first = far.release("1", env=there, own={"host": None})

    assert first.code == 0, first
    assert not moved(first)
    assert [found["status"] for found in evidence(first, "smoke")] == ["passed"]
    assert first.finished["serves"]["proof"] == "identity"
    assert far.serves() == ("1", "1")
    second = far.release("2", env=there, own={"host": None})
    assert second.code == 0, second
    back = far.command("rollback")
    assert back.code == 0, back
    assert far.serves() == ("1", "1")


def test_a_machine_that_does_not_let_us_in_is_refused_before_the_build(far: Far) -> None:
    allowed = far.engine.folder / "authorized_keys"
    kept = allowed.read_text()
    allowed.write_text("")
    try:
        refused = far.release("1")
    finally:
        allowed.write_text(kept)

    assert refused.code == 32, refused
    assert "build" not in refused.stages()
    assert f"root@{far.engine.address} does not let us in" in refused.said
    assert "ssh-add" in refused.said


def evidence(ended: Ended, stage: str) -> list[dict[str, Any]]:
    return [event["evidence"] for event in ended.events if event["event"] == "evidence" and event["stage"] == stage]


def asked_from_here(ended: Ended) -> Any:
    """The address that the release told, asked from this machine."""
    serves = ended.finished["serves"]
    request = urllib.request.Request(serves["address"], headers={"Host": serves["host"]})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)
