"""Several writers at one Docker host: exactly one wins, and nobody works on what is not there any more."""

from __future__ import annotations

import pytest

from shipper.model import Stamp
from shipper.targets import Conflict, Invalid
from tests.integration.docker_host.conftest import Place, Service

pytestmark = pytest.mark.integration


def test_a_writer_with_a_lower_epoch_was_overtaken(shop: Service) -> None:
    shop.serve()
    shop.target.write_stamp(Stamp(epoch=7, highest=41), shop.target.observe().seen)
    seen = shop.target.observe()
    assert (seen.stamp.epoch, seen.highest) == (7, 41)
    with pytest.raises(Conflict, match="epoch 6 was overtaken by epoch 7"):
        shop.target.write_stamp(Stamp(epoch=6), seen.seen)


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


def test_a_host_that_was_being_removed_when_its_run_was_killed_is_made_anew(own_place: Place) -> None:
    shop = own_place.service()
    revision = shop.serve()
    shop.shift({})
    shop.retire(revision, to="removed")
    shop.target._proxy.leave()
    assert shop.target._proxy.close()  # and killed here, before the proxy is removed
    assert shop.serve(VERSION="after").number
    assert shop.ask().text == "after"
