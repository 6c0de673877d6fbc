"""What the next write goes on from when our own file is lost, or somebody was here before us. Pure."""

from __future__ import annotations

import pytest

from shipper.model import Settings, Stamp
from shipper_targets.docker.render import Server, State
from shipper_targets.docker.taking_over import adopted, leaving, taken_over

pytestmark = pytest.mark.unit

SHOP = Settings.model_validate({"service": {"service": "shop", "root": "/"}})
FOUND = {"legacy": "10.0.0.20:9000", "shop-3-abcdef": "10.0.0.11:80", "shop-2-fedcba": "10.0.0.10:80"}
WEIGHTS = {"legacy": 128, "shop-3-abcdef": 128, "shop-2-fedcba": 0}
ROUTES = {"shop-3-abcdef": "new.x"}


def test_a_lost_file_is_made_again_from_what_the_proxy_has() -> None:
    found = taken_over(SHOP, None, "shop.x", FOUND, WEIGHTS, ROUTES)
    assert {name: (server.weight, server.adopted) for name, server in found.servers.items()} == {
        "legacy": (50, True),
        "shop-3-abcdef": (50, False),
        "shop-2-fedcba": (0, False),  # of ours by its name, though its container is gone
    }
    assert found.servers["shop-3-abcdef"].route == "new.x"
    assert found.stamp == Stamp()


def test_what_appears_after_the_first_release_is_not_adopted() -> None:
    ours = State(route="shop.x", stamp=Stamp(highest=3), servers={})
    assert taken_over(SHOP, ours, "shop.x", FOUND, WEIGHTS, ROUTES) == ours
    without_stamp = State(route="shop.x", servers={})
    assert taken_over(SHOP, without_stamp, "shop.x", FOUND, WEIGHTS, ROUTES) == without_stamp


def test_what_was_adopted_is_number_0() -> None:
    state = taken_over(SHOP, None, "shop.x", FOUND, WEIGHTS, ROUTES)
    (revision,) = adopted(state, {"legacy": 50})
    assert (revision.name, revision.release, revision.number, revision.weight) == ("legacy", None, 0, 50)


SERVERS = {
    "legacy": Server(address="10.0.0.20:9000", adopted=True),
    "old": Server(address="10.0.0.10:80", served=True),
    "lost": Server(address="10.0.0.11:80"),
    "new": Server(address="10.0.0.12:80", weight=100),
}


@pytest.mark.parametrize(
    ("names", "to", "gone"),
    [
        ({"old"}, "warm", {"lost"}),
        ({"old"}, "stopped", {"old", "lost"}),
        ({"old", "legacy"}, "stopped", {"old", "lost"}),
        ({"old", "legacy"}, "removed", {"old", "legacy", "lost"}),
        (set(), "removed", {"lost"}),
    ],
)
def test_who_leaves_the_proxy(names: set[str], to: str, gone: set[str]) -> None:
    state = State(route="shop.x", servers=SERVERS)
    assert set(leaving(state, names, to, {"old", "new"})) == gone  # type: ignore[arg-type]
