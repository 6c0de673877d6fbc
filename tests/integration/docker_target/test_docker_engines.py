"""Another engine: the containerd image store, and an engine that restarts under load."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest

from shipper.model import ImageRef, ProbeRequest
from tests.integration.docker_target.conftest import Host, build_image, eventually
from tests.rig import load
from tests.rig.api import Rig, RigError
from tests.rig.isolated import IsolatedEngine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def engine(rig: Rig) -> Iterator[IsolatedEngine]:
    with IsolatedEngine("containerd") as made:
        yield made


class Stranger(BaseHTTPRequestHandler):
    """Another host's proxy on the same port of this machine: it does not know our pin."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"shipper: no service for host shop.localhost")

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def host(engine: IsolatedEngine, rig: Rig) -> Iterator[Host]:
    """One on that engine. Its port is a stranger's here."""
    build_image(engine.env(), rig.base_image, "shipper.local/built:1")
    client = docker.DockerClient(base_url=engine.docker_host)
    made = Host(client, str(client.images.get("shipper.local/built:1").id), rig.proxy_image, engine.docker_host)
    with HTTPServer(("127.0.0.1", made.port), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()
    made.clear()


def config_digest(service: Any, tmp_path: Path) -> str:
    """By loading the image as it was saved, under a name that says nothing."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(service.host.engine.images.get(service.host.image).save(named=True)))
    return str(service.target.load(archive))


def answers(engine: IsolatedEngine, port: int, name: str) -> bool:
    with contextlib.suppress(RigError):
        status, _, body = engine.ask(f"http://127.0.0.1:{port}/", f"{name}.localhost")
        return (status, body) == (200, name)
    return False


def test_an_image_is_proved_run_and_refused_by_its_config_digest(host: Host, tmp_path: Path) -> None:
    service: Any = host.service("shop")
    config = config_digest(service, tmp_path)
    built = host.engine.images.get(host.image)
    assert config != built.id, "a manifest digest in this store: never an identity"
    assert service.target.has(config) is None
    built.tag("shipper.local/shop", config.removeprefix("sha256:")[:32])
    assert service.target.has(config) == built.id
    built.tag("shipper.local/shop", "2" * 32)
    assert service.target.has("sha256:" + "2" * 64) is None, "a tag is a claim, not a proof"

    image = ImageRef(config_digest=config, reference=config, platform=service.target.default_platform)
    release = service.release("one").model_copy(update={"images": {"main": image}})
    revision = service.serve(release=release)
    assert service.target.probe(revision, ProbeRequest()).revision == revision.name
    assert service.target.ask(ProbeRequest()).revision == revision.name
    assert service.target.observe().serving[0].image == config
    assert service.target.restorable(release).warm
    service.remove()


@pytest.mark.sweep
def test_an_engine_that_restarts_brings_every_service_back_under_its_own_name(
    host: Host, engine: IsolatedEngine, tmp_path: Path
) -> None:
    services: list[Any] = [host.service(name) for name in ("shop", "cart")]
    config = config_digest(services[0], tmp_path)
    host.engine.images.get(host.image).tag("shipper.local/shop", config.removeprefix("sha256:")[:32])
    image = ImageRef(config_digest=config, reference=config, platform=services[0].target.default_platform)
    for service in services:
        release = service.release(service.name).model_copy(update={"images": {"main": image}})
        service.serve(release=release)
    before = [service.target.observe() for service in services]
    with (
        load.start(host.port, 30, host="shop.localhost", inside=engine.inside()) as shop,
        load.start(host.port, 30, host="cart.localhost", inside=engine.inside(), keep_alive=False) as cart,
    ):
        engine.restart()
        assert eventually(lambda: all(answers(engine, host.port, name) for name in ("shop", "cart")), seconds=60)
        results = [shop.stop(), cart.stop()]
    assert [set(result.by_body) for result in results] == [{"shop"}, {"cart"}]
    assert [service.target.observe() for service in services] == before
    for service in services:
        service.remove()
