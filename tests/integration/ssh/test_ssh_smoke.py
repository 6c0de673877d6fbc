"""A candidate that is tried at the other end of ssh, where it was built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.errors import SmokeError
from shipper.images.context import describe
from shipper.images.engine import DockerEngine, connect
from shipper.images.protocol import BuildRequest
from shipper.model import (
    Expectation,
    GoldenRequest,
    HealthSettings,
    Image,
    ImageSettings,
    RunSettings,
    ServiceSettings,
    Smoke,
    SmokeSettings,
)
from shipper.processes.ssh import line_to
from shipper.processes.ssh_host import ssh_host
from shipper.smoke.candidates import DockerCandidates
from tests.integration.images.conftest import Told
from tests.integration.ssh.conftest import SERVICE, NoSecrets, Switch
from tests.rig.ssh_engine import SshEngine

pytestmark = pytest.mark.integration

FILES = {
    "Dockerfile": "FROM python:3.11-slim\nCOPY app.py index.html ./\nUSER 1000\nCMD python app.py\n",
    "index.html": "hello from there",
    "app.py": "import http.server as h\nh.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()\n",
}


@pytest.fixture
def engine(far: SshEngine) -> Iterator[DockerEngine]:
    with connect(far.url) as connected:
        yield connected


@pytest.fixture(scope="module")
def image(other_machine: SshEngine, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Built there."""
    folder = tmp_path_factory.mktemp("shop")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    service, settings = ServiceSettings(service=SERVICE, root=str(folder)), ImageSettings()
    with pytest.MonkeyPatch.context() as patch:
        for name, content in other_machine.env().items():
            patch.setenv(name, content)
        with connect(other_machine.url) as engine:
            request = BuildRequest(service, settings, describe(service, settings), engine.platform())
            return engine.build(request, Told(), Switch())


def tried(engine: DockerEngine, image: Image, folder: Path, **run: str) -> Smoke:
    return DockerCandidates(engine.client, folder / "logs").try_out(
        image,
        ServiceSettings(service=SERVICE, root=str(folder)),
        RunSettings.model_validate({"port": 8080, "stop_grace": 1, "init": True, **run}),
        HealthSettings.model_validate({"path": "/index.html", "startup": 20}),
        SmokeSettings(requests=(GoldenRequest(name="hello", path="/", expect=Expectation(contains="from there")),)),
        NoSecrets(),
        Told(),
        Switch(),
    )


def test_it_is_asked_through_ssh_and_leaves_nothing_there(
    far: SshEngine, engine: DockerEngine, image: Image, tmp_path: Path
) -> None:
    smoke = tried(engine, image, tmp_path)

    assert smoke.status == "passed", smoke
    assert [(probe.name, probe.status) for probe in smoke.probes] == [("hello", 200)]
    assert far.docker("ps", "--all", "--quiet", "--filter", "label=shipper.smoke") == ""


def test_why_it_failed_is_told_as_it_is_here(engine: DockerEngine, image: Image, tmp_path: Path) -> None:
    smoke = tried(engine, image, tmp_path, command=["python", "-c", "raise SystemExit('no model')"])  # type: ignore[arg-type]

    assert smoke.status == "failed"
    assert any("no model" in line for line in smoke.log_tail)


def test_a_server_that_forwards_no_ports_is_said_so(
    far: SshEngine, engine: DockerEngine, image: Image, tmp_path: Path
) -> None:
    far.serve("AllowTcpForwarding no")
    try:
        line_to(ssh_host(far.url)).close()
        with pytest.raises(SmokeError, match="forwards no ports") as refused:
            tried(engine, image, tmp_path)
    finally:
        far.serve()

    assert "AllowTcpForwarding yes" in refused.value.hint
    assert far.docker("ps", "--all", "--quiet", "--filter", "label=shipper.smoke") == ""
