"""#0: a server that somebody put behind our proxy before shipper came to this service."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import TargetSpec
from shipper.targets import Invalid
from tests.integration.docker_target.conftest import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def shop(host: Any) -> Any:
    """A service that is served by hand; nothing of it is in shipper's files."""
    host.service("cart").serve("cart")
    name = f"{host.namespace}-by-hand"
    legacy = host.engine.containers.run(
        host.image, name=name, network=host.namespace, environment={"NAME": "legacy", "PORT": "9000"}, detach=True
    )
    legacy.reload()
    address = legacy.attrs["NetworkSettings"]["Networks"][host.namespace]["IPAddress"]
    host.at_the_proxy(
        f"add server slot07/legacy {address}:9000 weight 7; enable server slot07/legacy; "
        "add map /state/hosts.map shop.localhost slot07"
    )
    service = host.service("shop")
    assert eventually(lambda: service.ask().text == "legacy")
    return service


def test_it_is_shown_serves_on_and_is_a_way_back(shop: Any) -> None:
    observed = shop.target.observe()
    (adopted,) = observed.revisions
    assert (adopted.name, adopted.release, adopted.number, adopted.weight) == ("legacy", None, 0, 100)
    assert (observed.drift, observed.highest, observed.stamp.highest) == ((), 0, 0)
    shop.host.service("cart").serve("cart again")
    assert shop.ask().text == "legacy", "another service's write takes nothing from it"

    new = shop.ready(shop.release("new"))
    assert shop.ask().text == "legacy"
    assert shop.target.observe().drift == ()
    shop.shift(weights={"legacy": 90, new.name: 10})
    assert {shop.ask().text for _ in range(20)} == {"legacy", "new"}
    shop.shift(new)
    shop.retire(adopted, to="stopped")
    shop.host.engine.containers.get(shop.host.proxy).restart(timeout=1)
    assert eventually(lambda: shop.ask().text == "new")
    assert [(found.name, found.number) for found in shop.target.revisions()] == [("legacy", 0), (new.name, 1)]
    shop.shift(adopted)
    assert shop.ask().text == "legacy"
    with pytest.raises(Invalid, match="legacy has traffic"):
        shop.retire(adopted, to="removed")


def test_its_container_is_never_ours_to_remove(shop: Any) -> None:
    (adopted,) = shop.target.observe().revisions
    new = shop.serve("new")
    shop.retire(adopted, to="removed")
    assert [found.name for found in shop.target.revisions()] == [new.name]
    shop.remove()
    by_hand = shop.host.engine.containers.get(f"{shop.host.namespace}-by-hand")
    assert by_hand.status == "running"


def test_a_foreign_container_on_the_hosts_port_is_refused_with_its_name(host: Any) -> None:
    name = f"{host.namespace}-nginx"
    host.engine.containers.run(
        host.image, name=name, environment={"PORT": "80"}, ports={"80/tcp": ("127.0.0.1", host.port)}, detach=True
    )
    service = host.service()
    (problem,) = service.target.preflight(TargetSpec(settings=service.settings(), target="local"))
    assert (problem.code, problem.key) == (2, "targets.port")
    assert problem.message == f"port {host.port} of the host is taken by the container {name}"
    with pytest.raises(Invalid, match=f"port {host.port} of the host is taken"):
        service.create(service.release())
    assert host.proxy not in host.left()
