"""Restarts, losses and changes by hand: what served serves again, and what was changed is told."""

from __future__ import annotations

import pytest

from shipper.model import RunSettings, Stamp
from shipper.targets import Conflict
from shipper_targets.docker import host
from tests.integration.docker_host.conftest import Place, Service, until

pytestmark = pytest.mark.integration


@pytest.fixture
def place(own_place: Place) -> Place:
    """Every test here does something to the host itself."""
    return own_place


def test_a_restart_of_everything_comes_back_equal(place: Place) -> None:
    shop, cart = place.service("shop"), place.service("cart")
    one, two = shop.ready(), shop.ready()
    shop.shift({one.name: 25, two.name: 75})
    cart.serve(VERSION="cart")
    before = shop.target.observe()
    for name in (one.name, two.name):
        place.client.containers.get(f"{place.namespace}-{name}").restart(timeout=1)
    place.proxy.restart(timeout=1)
    assert until(lambda: shop.target.observe() == before)
    assert until(lambda: {shop.ask().text for _ in range(8)} == {"v1", "v2"})
    assert until(lambda: cart.ask().text == "cart")


def test_a_proxy_that_was_stopped_or_removed_is_back_with_the_next_write(place: Place, shop: Service) -> None:
    old = shop.serve()
    for lose in (place.proxy.stop, lambda: place.proxy.remove(force=True)):
        lose()
        observed = shop.target.observe()
        assert shop.weights() == {old.name: 100}
        assert observed.drift == ()
        plan = shop.target.plan(shop.next(), observed)
        assert any("proxy" in remark for remark in plan.remarks)
        new = shop.serve(release=shop.next())
        assert shop.ask().revision == new.name
        shop.shift({old.name: 100})


def test_a_proxy_of_an_older_shipper_is_replaced_with_what_it_served(
    place: Place, shop: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shop.serve()
    was = place.proxy.id
    monkeypatch.setattr(host, "SCHEMA", host.SCHEMA + 1)
    assert "replaced" in shop.target.plan(shop.next(), shop.target.observe()).remarks[0]
    shop.ready()
    assert place.proxy.id != was
    assert shop.ask().revision == old.name
    assert [name for name in place.leftovers() if "next" in name] == []


def test_traffic_that_was_moved_by_hand_is_drift(place: Place, shop: Service) -> None:
    one, two = shop.serve(), shop.ready()
    place.by_hand(f"set server slot00/{two.name} weight 50")
    (drift,) = shop.target.observe().drift
    assert (drift.field, drift.ours, drift.found) == (f"weight of {two.name}", "0", "50")
    place.by_hand(f"set server slot00/{two.name} weight 0")
    place.by_hand("clear map /state/hosts.map")
    assert [drift.field for drift in shop.target.observe().drift] == ["route"]
    shop.shift({one.name: 100})
    assert shop.target.observe().drift == ()  # a write puts everything as it should be
    assert shop.ask().revision == one.name


def test_limits_changed_by_hand_are_drift_and_a_lost_container_is_shown(place: Place) -> None:
    shop = place.service(run={"memory": 200_000_000})
    revision = shop.serve()
    container = place.client.containers.get(f"{place.namespace}-{revision.name}")
    container.update(mem_limit=100_003_840, memswap_limit=100_003_840)
    assert [drift.field for drift in shop.target.observe().drift] == [f"memory of {revision.name}"]
    container.remove(force=True)
    observed = shop.target.observe()
    assert observed.drift == ()  # a release mends it, and must not be refused for it
    assert [(lost.name, lost.state) for lost in observed.serving] == [(revision.name, "failed")]


def test_a_server_that_somebody_deleted_from_the_proxy_comes_back(place: Place, shop: Service) -> None:
    revision = shop.serve()
    name = f"slot00/{revision.name}"
    place.by_hand(f"set server {name} state maint; del server {name}")
    assert shop.ask().status == 503
    assert shop.target.observe().drift
    shop.shift({revision.name: 100})
    assert shop.ask().text == "v1"


def test_another_volume_is_another_host(place: Place, shop: Service) -> None:
    shop.serve()
    seen = shop.target.observe().seen
    place.clean_up()
    shop.serve()
    assert seen.split()[1:] == shop.target.observe().seen.split()[1:]  # the same version number on both
    with pytest.raises(Conflict):
        shop.target.write_stamp(Stamp(), seen)


def test_an_automatic_address_never_takes_a_fixed_one(place: Place, shop: Service) -> None:
    revision = shop.serve()
    container = place.client.containers.get(f"{place.namespace}-{revision.name}")
    address = container.attrs["NetworkSettings"]["Networks"][place.namespace]["IPAddress"]
    container.stop(timeout=1)
    stranger = place.client.containers.run(
        shop.image,
        name=f"{place.namespace}-stranger",
        network=place.namespace,
        environment={"VERSION": "x"},
        detach=True,
    )
    stranger.reload()
    assert stranger.attrs["NetworkSettings"]["Networks"][place.namespace]["IPAddress"] != address
    container.start()
    assert until(lambda: shop.ask().text == "v1")


def test_the_engine_restarts_only_what_has_had_traffic(place: Place, shop: Service) -> None:
    serving, waiting = shop.serve(), shop.ready()
    policies = [
        place.client.api.inspect_container(f"{place.namespace}-{revision.name}")["HostConfig"]["RestartPolicy"]["Name"]
        for revision in (serving, waiting)
    ]
    assert policies == ["unless-stopped", "no"]
    assert isinstance(shop.settings.run, RunSettings)
