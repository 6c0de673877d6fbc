"""An image that was built here gets to the engine at the other end, and is proved there."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import Interrupted, Invalid, PublishError
from shipper.images.context import describe
from shipper.images.engine import DockerEngine, connect
from shipper.images.protocol import BuildRequest
from shipper.model import Approval, Image, ImageRef, ImageSettings, ServiceSettings, Settings, Smoke, Source
from shipper.registries.oci import OciRegistry
from shipper.stages.publish import publish
from shipper.targets import TargetContext
from shipper_targets.docker import images, kind
from tests.integration.images.conftest import Told
from tests.integration.ssh.conftest import SERVICE, NoSecrets, Switch
from tests.rig.isolated import Store
from tests.rig.ssh_engine import SshEngine

pytestmark = pytest.mark.integration

FILES = {
    "Dockerfile": "FROM python:3.11-slim\nCOPY app.py unique .\nUSER 1000\nCMD python app.py\n",
    "app.py": "import http.server as h\nh.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()\n",
}
# VmHWM and not ru_maxrss: the latter outlives exec, so that of a child begins with what the test process has.
LOADING = """
import sys
from pathlib import Path
from shipper.targets.docker_client import docker_client
from shipper_targets.docker import images
print(images.load(docker_client(sys.argv[1], 60), Path(sys.argv[2])))
peak = next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM:"))
print(int(peak) * 1024)
"""
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(params=["overlay2", "containerd"])
def there(request: pytest.FixtureRequest, far: SshEngine) -> Iterator[SshEngine]:
    """The engine at the other end, with either image store."""
    store: Store = request.param
    if store == "overlay2":
        yield far
        return
    yield request.getfixturevalue("newer")


@pytest.fixture(scope="module")
def other_store() -> Iterator[SshEngine]:
    with SshEngine("containerd") as made:
        yield made


@pytest.fixture
def newer(other_store: SshEngine, far: SshEngine, monkeypatch: pytest.MonkeyPatch) -> SshEngine:
    """With the containerd store, and the way there instead of the other one's."""
    for name, value in other_store.env().items():
        monkeypatch.setenv(name, value)
    return other_store


@pytest.fixture(scope="module")
def image(here: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A service that was built here."""
    return built(here, tmp_path_factory.mktemp("shop"))


def built(engine: DockerEngine, folder: Path) -> Image:
    """A service that no engine has seen before."""
    folder.mkdir(exist_ok=True)
    for name, content in {**FILES, "unique": uuid.uuid4().hex}.items():
        (folder / name).write_text(content)
    service = ServiceSettings(service=SERVICE, root=str(folder))
    settings = ImageSettings()
    request = BuildRequest(service, settings, describe(service, settings), engine.platform())
    return engine.build(request, Told(), Switch())


def forget(there: SshEngine, image: Image) -> None:
    """The engine there has never seen it."""
    if there.docker("images", "--quiet", image.reference):
        there.docker("rmi", "--force", image.reference)


def target_at(there: SshEngine) -> Any:
    settings = Settings.model_validate({"service": {"service": SERVICE, "root": "/"}})
    return kind.connect(TargetContext("far", settings, {"host": there.url}, NoSecrets()))


def published(
    image: Image, target: Any, engine: DockerEngine, told: Told, switch: Switch, repository: str | None = None
) -> ImageRef:
    digest = image.config_digest
    approval = Approval(config_digest=digest, policy=digest, evidence={})
    source = Source(commit=None, commit_time=None, dirty=False, context_digest=digest, files=1, size=1)
    service = {"service": SERVICE, "root": "/"}
    whole = Settings.model_validate({"service": service, "image": {"repository": repository}})
    tried = Smoke(subject=digest, status="passed")
    return publish(image, approval, tried, source, whole, target, OciRegistry(), engine, told, switch).images["main"]


def test_it_is_moved_as_a_stream_once_and_proved(
    there: SshEngine, here: DockerEngine, image: Image, told: Told, switch: Switch
) -> None:
    moved = published(image, target_at(there), here, told, switch)

    assert any(step.startswith("moving the image") for step in told.steps)
    assert moved.config_digest == image.config_digest
    assert there.docker("image", "inspect", "--format", "{{.Id}}", image.reference) == moved.reference
    assert json.loads(there.docker("image", "inspect", moved.reference))[0]["Config"]["User"] == "1000"

    told.steps.clear()
    again = published(image, target_at(there), here, told, switch)
    assert again == moved
    assert not any(step.startswith("moving the image") for step in told.steps)


def test_its_id_there_is_enough_to_find_it_from_any_machine(
    there: SshEngine,
    here: DockerEngine,
    image: Image,
    tmp_path: Path,
    told: Told,
    switch: Switch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from shipper_targets.docker.engine import connect as connect_to

    moved = published(image, target_at(there), here, told, switch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-machine"))
    client = connect_to(there.url)
    monkeypatch.setattr(client.api, "get_image", lambda *_, **__: pytest.fail("it was read back"))

    assert images.ensure(client, moved) == moved.reference


def test_a_cancelled_move_leaves_nothing_there(
    far: SshEngine, here: DockerEngine, image: Image, told: Told, switch: Switch
) -> None:
    forget(far, image)
    target = target_at(far)
    told.when = lambda step: switch.throw() if step.startswith("moving") else None

    with pytest.raises(Interrupted):
        published(image, target, here, told, switch)

    assert target.has(image.config_digest) is None


def test_a_move_costs_little_memory(
    far: SshEngine, here: DockerEngine, image: Image, told: Told, switch: Switch
) -> None:
    forget(far, image)
    archive = here.archive(image, told, switch)
    done = subprocess.run(
        [sys.executable, "-c", LOADING, far.url, str(archive)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    config, peak = done.stdout.split()

    assert config == image.config_digest
    assert archive.stat().st_size > 140e6
    assert int(peak) < 100e6


def test_what_is_no_image_is_refused_before_anything_is_sent(far: SshEngine, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"\0" * 10240)

    with pytest.raises(Invalid, match="is no archive of an image"):
        target_at(far).load(archive)


def test_an_engine_that_takes_another_image_is_not_believed(
    far: SshEngine,
    here: DockerEngine,
    image: Image,
    tmp_path: Path,
    told: Told,
    switch: Switch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget(far, image)
    other = built(here, tmp_path / "other")
    wrong = here.archive(other, told, switch)
    monkeypatch.setattr(here, "archive", lambda *_: wrong)

    with pytest.raises(PublishError, match="another image than the one that was tested"):
        published(image, target_at(far), here, told, switch)


def test_through_a_registry_the_other_engine_pulls_it_by_digest(
    far: SshEngine, here: DockerEngine, image: Image, told: Told, switch: Switch
) -> None:
    from shipper_targets.docker.engine import connect as connect_to

    forget(far, image)
    repository = f"{far.registry or far.share_registry()}/team/shop"

    pushed = published(image, target_at(far), here, told, switch, repository)

    assert pushed.manifest_digest is not None
    assert images.find(connect_to(far.url), image.config_digest) is None
    assert images.ensure(connect_to(far.url), pushed) == image.config_digest


def test_it_can_be_built_there_and_nothing_moves(far: SshEngine, tmp_path: Path, told: Told, switch: Switch) -> None:
    with connect(far.url) as engine:
        image = built(engine, tmp_path / "shop")
        moved = published(image, target_at(far), engine, told, switch)

    assert moved.reference == image.engine_id
    assert not any(step.startswith("moving the image") for step in told.steps)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def switch() -> Switch:
    return Switch()
