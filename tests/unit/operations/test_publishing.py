"""`shipper publish` as its user sees it: an image by digest at the end, and nothing of it on the platform."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shipper.errors import PublishError
from shipper.model import Deployable, ImageRef, Release, Settings
from shipper.operations import publish as publishing
from shipper.operations import telling
from shipper.operations.publish import next_command
from shipper.operations.where import Where
from shipper.operations.workspace import open_workspace
from shipper.targets import Target
from tests.unit.operations.imaginary import Collecting, Laptop

pytestmark = pytest.mark.unit

REFERENCE = "registry.example.com/shop@sha256:" + "a" * 64
CONFIG = "sha256:" + "b" * 64


class Engine:
    """Remembers whose images it was told to prune."""

    def __init__(self, *, hosts: bool = False) -> None:
        self.pruned: list[str] = []
        self.hosts = hosts

    def hosts_services(self) -> bool:
        return self.hosts

    def prune(self, service: str) -> None:
        self.pruned.append(service)


class Kitchen:
    """Stands where the pipeline is run, and remembers what it was given."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.error: Exception | None = None
        self.ran: list[str] = []
        self.seeds: set[str] = set()
        self.journal: object = None
        self.services: set[str] = set()

    @contextlib.contextmanager
    def open(self, workspace: object) -> Iterator[Any]:
        yield publishing.Workshop(self.engine, {})  # type: ignore[arg-type]

    def run(self, pipeline: Any, *, seeds: Any, services: Any, journal: Any, **_: Any) -> Deployable:
        self.ran.append(pipeline.name)
        self.seeds = {type(seed).__name__ for seed in seeds}
        assert set(pipeline.seeds) <= {type(seed) for seed in seeds}
        self.services, self.journal = set(services), journal
        if self.error is not None:
            raise self.error
        image = ImageRef(config_digest=CONFIG, reference=REFERENCE, platform="linux/amd64")
        return Deployable(images={"main": image}, settings=seeds[0], published=True)


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    made = Kitchen()
    monkeypatch.setattr(publishing, "open_workshop", made.open)
    monkeypatch.setattr(telling, "run", made.run)
    return made


def test_the_end_names_the_image_and_what_deploys_it(laptop: Laptop, kitchen: Kitchen) -> None:
    ended = laptop.run("publish", cwd=laptop.project)
    assert ended.code == 0, ended
    lines = ended.out.splitlines()
    assert lines[1] == "the image of shop is published; nothing was deployed"
    assert lines[2] == f"  image     {REFERENCE}"
    assert lines[-1] == f"next: shipper release --image {REFERENCE}"
    assert "publish shop for dev on here" in ended.err
    assert kitchen.ran == ["publish"]


def test_quiet_is_the_reference_alone(laptop: Laptop, kitchen: Kitchen) -> None:
    ended = laptop.run("publish", "-q", cwd=laptop.project)
    assert (ended.code, ended.out, ended.err) == (0, f"{REFERENCE}\n", "")


def test_a_failure_puts_nothing_where_the_reference_is_expected(laptop: Laptop, kitchen: Kitchen) -> None:
    kitchen.error = PublishError("the registry is full", hint="make room")
    ended = laptop.run("publish", "-q", cwd=laptop.project)
    assert (ended.code, ended.out) == (15, "")
    assert "the registry is full" in ended.err


def test_for_programs_it_is_in_the_last_event_and_nothing_serves(laptop: Laptop, kitchen: Kitchen) -> None:
    finished = laptop.run("publish", "--json", cwd=laptop.project).finished
    assert (finished["cause"], finished["image"], finished["serves"]) == ("published", REFERENCE, None)


def test_nothing_is_written_to_target_or_ledger(laptop: Laptop, kitchen: Kitchen) -> None:
    calls: list[str] = []

    def counted(name: str, call: Any) -> Any:
        calls.append(name)
        return call()

    laptop.kind.around = counted
    assert laptop.run("publish", cwd=laptop.project).code == 0
    assert calls == []
    assert "ledger" not in kitchen.services
    assert not (laptop.home / "state" / "shipper" / "ledger").exists()
    assert laptop.run("status", "--json", cwd=laptop.project).shown["observation"]["revisions"] == []


def test_an_image_that_is_there_is_judged_and_not_built(laptop: Laptop, kitchen: Kitchen) -> None:
    assert laptop.run("publish", "--image", "theirs:1", cwd=laptop.project).code == 0
    assert kitchen.ran == ["publish_image"]
    assert "Admission" in kitchen.seeds


def test_fresh_uses_no_journal(laptop: Laptop, kitchen: Kitchen) -> None:
    laptop.run("publish", cwd=laptop.project)
    assert kitchen.journal is not None
    laptop.run("publish", "--fresh", cwd=laptop.project)
    assert kitchen.journal is None


def test_a_secret_without_a_value_is_told_before_anything_begins(laptop: Laptop, kitchen: Kitchen) -> None:
    laptop.configure({"run": {"secrets": {"TOKEN": "env:SHOP_TOKEN_THAT_IS_NOT_SET"}}})
    ended = laptop.run("publish", cwd=laptop.project)
    assert (ended.code, kitchen.ran) == (2, [])
    assert "SHOP_TOKEN_THAT_IS_NOT_SET" in ended.err


@pytest.mark.parametrize("hosts", [True, False])
def test_old_images_go_where_nothing_runs(laptop: Laptop, kitchen: Kitchen, hosts: bool) -> None:
    kitchen.engine.hosts = hosts
    laptop.run("publish", cwd=laptop.project)
    assert kitchen.engine.pruned == ([] if hosts else ["shop"])


class Rendering(Collecting):
    """Its platform is given texts."""

    def content(self, settings: Settings) -> str:
        return ""

    def render(self, release: Release) -> tuple[tuple[str, str], ...]:
        return ()


def test_where_there_are_manifests_the_next_step_writes_them_of_the_same_place(laptop: Laptop) -> None:
    workspace = open_workspace(Where(directory=laptop.project))
    connected: Target = workspace.connect()
    assert isinstance(connected, Collecting)
    target = Rendering(connected.memory, workspace.secrets)
    where = Where(directory=laptop.home / "my shop", environment="production", target="cluster")
    assert next_command(where, REFERENCE, target) == (
        f"shipper render -C '{laptop.home}/my shop' --env production --target cluster --image {REFERENCE} --out DIR"
    )


def test_the_run_is_in_the_log_of_its_own_kind(laptop: Laptop, kitchen: Kitchen) -> None:
    laptop.run("publish", cwd=laptop.project)
    (path,) = (laptop.home / "state" / "shipper" / "runs" / "shop").iterdir()
    first, *_, last = [json.loads(line) for line in path.read_text().splitlines()]
    assert (first["command"], last["image"]) == ("publish", REFERENCE)
