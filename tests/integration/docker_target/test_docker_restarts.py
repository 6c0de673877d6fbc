"""Restarts, losses and changes by hand: what served serves again, and what was changed is told."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import Conflict
from shipper_targets.docker import host as docker_host
from tests.integration.docker_target.conftest import eventually
from tests.rig import load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_two_services_released_and_restarted_under_load_are_never_taken_for_each_other(host: Any) -> None:
    shop, cart = host.service("shop"), host.service("cart")
    shop.serve("shop")
    cart.serve("cart")
    with (
        load.start(host.port, 50, host="shop.localhost") as asked_shop,
        load.start(host.port, 50, host="cart.localhost", keep_alive=False) as asked_cart,
    ):
        one, two = shop.ready(shop.release("shop")), cart.ready(cart.release("cart"))
        shop.shift(one)
        cart.shift(two)
        # Stopped together, and started in the other order: an address of its own each.
        first, second = shop.container(one), cart.container(two)
        first.kill()
        second.kill()
        second.start()
        first.start()
        host.engine.containers.get(host.proxy).restart(timeout=1)
        assert eventually(lambda: (shop.ask().text, cart.ask().text) == ("shop", "cart"))
        results = asked_shop.stop(), asked_cart.stop()
    assert [set(result.by_body) for result in results] == [{"shop"}, {"cart"}]


@pytest.mark.sweep
def test_a_restart_of_everything_comes_back_equal(host: Any) -> None:
    service = host.service()
    one, two = service.serve("one"), service.ready(service.release("two"))
    service.shift(weights={one.name: 25, two.name: 75})
    before = service.target.observe()
    for revision in (one, two):
        service.container(revision).restart(timeout=1)
    host.engine.containers.get(host.proxy).restart(timeout=1)
    assert eventually(lambda: service.target.observe() == before)
    assert eventually(lambda: {service.ask().text for _ in range(8)} == {"one", "two"})
    policies = {service.container(each).attrs["HostConfig"]["RestartPolicy"]["Name"] for each in (one, two)}
    assert policies == {"unless-stopped"}


def test_a_proxy_that_was_stopped_or_removed_is_back_with_the_next_write(host: Any) -> None:
    service = host.service()
    old = service.serve("old")
    proxy = host.engine.containers.get(host.proxy)
    for lose in (proxy.stop, lambda: proxy.remove(force=True)):
        lose()
        observed = service.target.observe()
        assert service.weights() == {old.name: 100}
        assert observed.drift == ()
        release = service.release("new")
        assert any("proxy" in remark for remark in service.target.plan(release, observed).remarks)
        service.serve(release=release)
        assert service.ask().text == "new"
        service.shift(old)


def test_a_proxy_of_an_older_shipper_is_replaced_with_what_it_served(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = host.service()
    old = service.serve()
    was = host.engine.containers.get(host.proxy).id
    monkeypatch.setattr(docker_host, "SCHEMA", docker_host.SCHEMA + 1)
    assert "replaced" in service.target.plan(service.release(), service.target.observe()).remarks[0]
    service.ready(service.release())
    assert host.engine.containers.get(host.proxy).id != was
    assert service.ask().headers["x-shipper-revision"] == old.name
    assert [name for name in host.left() if "next" in name] == []


def test_traffic_that_was_moved_by_hand_is_drift(host: Any) -> None:
    service = host.service()
    one, two = service.serve("one"), service.ready(service.release("two"))
    host.at_the_proxy(f"set server slot00/{two.name} weight 50")
    (drift,) = service.target.observe().drift
    assert (drift.field, drift.ours, drift.found) == (f"weight of {two.name}", "0", "50")
    host.at_the_proxy(f"set server slot00/{two.name} weight 0; clear map /state/hosts.map")
    assert [drift.field for drift in service.target.observe().drift] == ["route"]
    host.at_the_proxy(f"set server slot00/{one.name} state maint; del server slot00/{one.name}")
    service.shift(one)
    assert service.target.observe().drift == (), "a write puts everything as it should be"
    assert service.ask().text == "one"


def test_limits_changed_by_hand_are_drift_and_a_lost_container_is_shown(service: Any) -> None:
    release = service.release(memory=200_000_000)
    revision = service.serve(release=release)
    service.container(revision).update(mem_limit=100_003_840, memswap_limit=100_003_840)
    assert [drift.field for drift in service.target.observe().drift] == [f"memory of {revision.name}"]
    service.container(revision).remove(force=True)
    observed = service.target.observe()
    assert observed.drift == (), "a release mends it, and must not be refused for it"
    (lost,) = observed.serving
    assert (lost.name, lost.state, lost.release, lost.number) == (revision.name, "failed", release.id, release.number)


def test_all_files_of_a_service_lost_and_it_serves_on(host: Any) -> None:
    shop, cart = host.service("shop"), host.service("cart")
    old, new = shop.serve("old"), shop.serve("new")
    cart.serve("cart")
    shop.target.write_stamp(shop.stamp().model_copy(update={"epoch": 5, "verified": (1, 2)}), shop.seen)
    host.in_the_proxy("rm -rf /state/services/shop /state/addresses/shop-*")
    with load.start(host.port, 30, host="shop.localhost") as asked:
        observed = shop.target.observe()
        assert (shop.weights(), observed.highest, observed.stamp.highest) == ({new.name: 100}, 2, 0)
        assert observed.drift == ()
        assert [record.number for record in shop.target.records()] == [1, 2], "from the containers"
        cart.shift(cart.serve("cart again"))
        assert shop.ask().text == "new", "another service's write takes nothing from it"
        shop.shift(old)
        assert shop.ask().text == "old"
        third = shop.serve("third")
        assert asked.stop().failures == {}
    assert third.number == 3
    addresses = host.in_the_proxy("cat /state/addresses/*").split("\n")
    assert len({line for line in addresses if line}) == len([line for line in addresses if line]) == 5
    host.engine.containers.get(host.proxy).restart(timeout=1)
    assert eventually(lambda: shop.ask().text == "third")


@pytest.mark.sweep
def test_another_volume_is_another_host(host: Any) -> None:
    service = host.service()
    service.serve()
    seen = service.seen
    host.clear()
    service.serve()
    assert seen.split()[1:] == service.seen.split()[1:], "the same version number on both"
    with pytest.raises(Conflict):
        service.target.write_stamp(service.stamp(), seen)


def test_a_fixed_address_is_never_given_twice(service: Any) -> None:
    host, revision = service.host, service.serve("one")
    attached = service.container(revision).attrs["NetworkSettings"]["Networks"][host.namespace]
    service.container(revision).stop(timeout=1)
    stranger = host.engine.containers.run(
        host.image,
        name=f"{host.namespace}-stranger",
        network=host.namespace,
        environment={"NAME": "x", "PORT": "1"},
        detach=True,
    )
    stranger.reload()
    assert stranger.attrs["NetworkSettings"]["Networks"][host.namespace]["IPAddress"] != attached["IPAddress"]
    service.container(revision).start()
    assert eventually(lambda: service.ask().text == "one")
    host.in_the_proxy("rm /state/addresses/*")  # of a volume that was lost
    other = service.ready(service.release("two"))
    found = service.container(other).attrs["NetworkSettings"]["Networks"][host.namespace]
    assert found["IPAddress"] != attached["IPAddress"]
    stranger.remove(force=True)


def test_an_address_that_a_killed_run_reserved_is_free_after_a_while(service: Any) -> None:
    host = service.host
    service.serve("one")
    host.in_the_proxy(
        "cd /state/addresses && echo \"$1 77\" | tee killed starting && touch -d '1 hour ago' *", service.name
    )
    host.in_the_proxy("touch /state/addresses/starting")
    service.ready(service.release("two"))
    held = host.in_the_proxy("ls /state/addresses").split()
    assert "killed" not in held
    assert "starting" in held
    assert len([name for name in held if name.startswith(service.name)]) == 2, "those with a container stay"


@pytest.mark.sweep
def test_the_engine_restarts_only_what_has_had_traffic(service: Any) -> None:
    serving, waiting = service.serve("one"), service.ready(service.release("two"))
    policies = [service.container(each).attrs["HostConfig"]["RestartPolicy"]["Name"] for each in (serving, waiting)]
    assert policies == ["unless-stopped", "no"]
