"""The containerd image store: the engine's ids are manifest digests there, and the proof is the config digest still."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import docker
import pytest

from shipper.model import ImageRef, ProbeRequest, Release, Settings, Stamp, new_release_id
from shipper.targets import TargetContext
from shipper_targets.docker import kind
from shipper_targets.docker.adapter import DockerTarget
from tests.integration.docker_host.conftest import Values
from tests.rig.api import Rig
from tests.rig.isolated import IsolatedEngine

pytestmark = pytest.mark.integration

APP = b"import http.server as h\nh.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()\n"


@pytest.fixture(scope="module")
def engine(rig: Rig) -> Iterator[IsolatedEngine]:
    with IsolatedEngine("containerd") as made:
        yield made


class _Stranger(BaseHTTPRequestHandler):
    """Another host's proxy on the same port of this machine: it does not know our pin."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"shipper: no service for host shop.localhost")

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def stranger() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def target(engine: IsolatedEngine, stranger: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerTarget:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = Settings.model_validate({"service": {"service": "shop", "root": "/"}, "health": {"path": "/"}})
    own = {"host": engine.docker_host, "namespace": "store", "port": stranger}
    made = kind.connect(TargetContext("docker", settings, own, Values()))
    assert isinstance(made, DockerTarget)
    return made


def test_an_image_is_proved_run_and_refused_by_its_config_digest(
    engine: IsolatedEngine, target: DockerTarget, rig: Rig, tmp_path: Path
) -> None:
    client = docker.DockerClient(base_url=engine.docker_host)
    built, _ = client.images.build(fileobj=_context(rig.base_image), custom_context=True, tag="shop:built", rm=True)
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(built.save(named=True)))
    config = target.load(archive)
    assert config != built.id  # a manifest digest in this store: never an identity
    assert target.has(config) is None  # loaded under a name that says nothing

    client.images.get("shop:built").tag("shipper.local/shop", config.removeprefix("sha256:")[:32])
    assert target.has(config) == built.id
    swapped = "sha256:" + "2" * 64
    client.images.get("shop:built").tag("shipper.local/shop", "2" * 32)
    assert target.has(swapped) is None  # a tag is a claim, not a proof

    revision = target.create(_release(target, config), Stamp(), target.observe().seen)
    last = next(step for number, step in enumerate(target.progress(revision)) if step.state != "waiting" or number > 50)
    assert last.state == "ready", last
    target.shift({revision.name: 100}, Stamp(), target.observe().seen)
    assert target.probe(revision, ProbeRequest()).revision == revision.name
    assert target.observe().serving[0].image == config
    target.remove()


def _release(target: DockerTarget, config: str) -> Release:
    image = ImageRef(config_digest=config, reference=config, platform=target.default_platform)
    return Release(
        id=new_release_id(),
        number=1,
        fingerprint="sha256:" + "0" * 64,
        images={"main": image},
        settings=target._settings,
        target="docker",
        created=time.time(),
    )


def _context(base: str) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        dockerfile = f'FROM {base}\nCOPY app.py /\nUSER 65534\nCMD ["python", "/app.py"]\n'.encode()
        for name, content in (("Dockerfile", dockerfile), ("app.py", APP)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return made
