"""What would make a release fail on this host is named before the build."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Problem, TargetSpec
from tests.integration.docker_target.conftest import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


def preflight(service: Any, **settings: Any) -> list[Problem]:
    return list(service.target.preflight(TargetSpec(settings=service.settings(**settings), target="local")))


def test_a_host_that_can_take_the_release_has_no_problems(service: Any, host: Any) -> None:
    assert preflight(host.service()) == [], "nothing is there yet"
    service.serve()
    assert preflight(service) == []


def test_every_problem_is_named_at_once(host: Any) -> None:
    other = "linux/arm64" if os.uname().machine == "x86_64" else "linux/amd64"
    with taken_port() as port:
        service = host.service(own={"port": port, "proxy_image": "127.0.0.1:1/no-such-proxy:1"})
        found = preflight(
            service,
            scale={"max": 3},
            image={"platform": other},
            run={"memory": 2**49, "volumes": [{"source": "no-such-model", "target": "/model"}]},
        )
    assert [(problem.code, problem.key) for problem in found] == [
        (2, "scale.max"),
        (2, "image.platform"),
        (2, "run.memory"),
        (2, "run.volumes"),
        (2, "targets.port"),
        (33, "targets.proxy_image"),
    ]
    assert all(problem.hint for problem in found)
    assert host.left() == [], "asking writes nothing"


def test_the_process_that_has_the_port_is_named(host: Any) -> None:
    with taken_port() as port:
        (problem,) = preflight(host.service(own={"port": port}))
    name = Path("/proc/self/comm").read_text().strip()
    assert problem.message == f"port {port} of the host is taken by {name} (process {os.getpid()})"


@pytest.mark.sample(1)
@pytest.mark.parametrize("running", [True, False])
def test_a_port_or_address_that_is_not_the_proxys_is_refused(host: Any, running: bool) -> None:
    host.service().serve()
    if not running:
        host.engine.containers.get(host.proxy).stop(timeout=1)
    (problem,) = preflight(host.service(own={"port": host.port + 1}))
    assert f"127.0.0.1:{host.port}" in problem.message
    (problem,) = preflight(host.service(own={"bind": "0.0.0.0"}))
    assert f"127.0.0.1:{host.port}" in problem.message


@pytest.mark.sweep
def test_a_proxy_that_is_removed_by_hand_comes_back_on_another_port(host: Any) -> None:
    service = host.service()
    service.serve("one")
    host.engine.containers.get(host.proxy).remove(force=True)
    host.port = free_port()
    moved = host.service(service.name)
    assert preflight(moved) == []
    assert moved.weights() == service.weights() != {}
    moved.target.write_stamp(moved.stamp(), moved.seen)
    assert moved.ask().text == "one"


def test_a_route_that_belongs_to_another_service_is_refused(service: Any) -> None:
    service.serve()
    thief = service.host.service(own={"route": service.route})
    (problem,) = preflight(thief)
    assert problem.message == f"{service.route} is the route of the service {service.name} on this host"


def test_a_socket_that_may_not_be_opened_is_a_problem_of_permission(host: Any) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder, "docker.sock")
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o600)
        path.parent.chmod(0o755)
        service = host.service(own={"host": f"unix://{path}"})
        codes = as_nobody(lambda: [problem.code for problem in preflight(service)])
    assert codes == [32]


@pytest.mark.parametrize("address", ["unix:///no/such.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_does_not_answer_is_a_problem_33(host: Any, address: str) -> None:
    (problem,) = preflight(host.service(own={"host": address}))
    assert problem.code == 33


def taken_port() -> Any:
    import contextlib

    @contextlib.contextmanager
    def holding() -> Any:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            yield listener.getsockname()[1]

    return holding()


def as_nobody(call: Callable[[], Any]) -> Any:
    ours, theirs = get_context("fork").Pipe()

    def child() -> None:
        os.setgid(65534)
        os.setuid(65534)
        theirs.send(call())

    process = get_context("fork").Process(target=child)
    process.start()
    try:
        assert ours.poll(20), "it said nothing"
        return ours.recv()
    finally:
        process.kill()
        process.join(10)
