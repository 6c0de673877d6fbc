"""Several writers at one Docker host: exactly one wins, and nobody works on what is not there any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from shipper.model import Stamp
from shipper.targets import Conflict, Invalid
from tests.integration.docker_host.conftest import Place, Service

pytestmark = pytest.mark.integration


def test_a_write_on_an_old_observation_is_refused(shop: Service) -> None:
    old = shop.target.observe().seen
    revision = shop.serve()
    for write in (
        lambda: shop.target.shift({revision.name: 100}, Stamp(), old),
        lambda: shop.target.create(shop.next(), Stamp(), old),
        lambda: shop.target.write_stamp(Stamp(), old),
    ):
        with pytest.raises(Conflict):
            write()
    assert shop.weights() == {revision.name: 100}


def test_a_writer_with_a_lower_epoch_was_overtaken(shop: Service) -> None:
    shop.serve()
    shop.target.write_stamp(Stamp(epoch=7, highest=41), shop.target.observe().seen)
    seen = shop.target.observe()
    assert (seen.stamp.epoch, seen.highest) == (7, 41)
    with pytest.raises(Conflict, match="epoch 6 was overtaken by epoch 7"):
        shop.target.write_stamp(Stamp(epoch=6), seen.seen)


def test_of_eight_writers_at_once_exactly_one_wins(place: Place) -> None:
    first = place.service()
    one, two = first.serve(), first.ready()
    seen = first.target.observe().seen
    writers = [place.service() for _ in range(8)]

    def write(number: int) -> int:
        weights = {one.name: 100 - number, two.name: number}
        try:
            writers[number - 1].target.shift(weights, Stamp(), seen)
        except Conflict:
            return 0
        return number

    with ThreadPoolExecutor(8) as pool:
        won = [number for number in pool.map(write, range(1, 9)) if number]
    assert len(won) == 1
    assert first.weights() == {one.name: 100 - won[0], two.name: won[0]}
    assert first.target.observe().drift == ()


def test_services_that_come_first_at_the_same_time_share_one_proxy(place: Place) -> None:
    services = [place.service(name) for name in ("shop", "cart", "bill")]
    with ThreadPoolExecutor(3) as pool:
        names = list(pool.map(lambda service: service.serve(VERSION=service.settings.service.service).name, services))
    assert [service.ask().text for service in services] == ["shop", "cart", "bill"]
    assert [service.ask().revision for service in services] == names
    assert len(place.client.networks.list(names=[place.namespace])) == 1


def test_the_same_release_twice_is_the_same_revision(shop: Service) -> None:
    release = shop.next()
    first = shop.serve(release)
    again = shop.create(release)
    assert again.name == first.name
    assert shop.weights() == {first.name: 100}
    assert len(shop.target.revisions()) == 1


def test_what_has_traffic_is_not_retired(shop: Service) -> None:
    revision = shop.serve()
    with pytest.raises(Invalid, match="has traffic"):
        shop.retire(revision, to="removed")
    assert shop.ask().text == "v1"


def test_a_host_that_was_being_removed_when_its_run_was_killed_is_made_anew(place: Place, shop: Service) -> None:
    revision = shop.serve()
    shop.shift({})
    shop.retire(revision, to="removed")
    shop.target._proxy.leave()
    assert shop.target._proxy.close()  # and killed here, before the proxy is removed
    assert shop.serve(VERSION="after").number
    assert shop.ask().text == "after"
