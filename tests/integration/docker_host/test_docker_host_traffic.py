"""Traffic on a Docker host: nothing is dropped, nothing is asked twice, and the weights are what they say."""

from __future__ import annotations

import threading

import pytest

from shipper.model import ProbeRequest
from shipper.targets import NotFound
from tests.integration.docker_host.conftest import Place, Service, until
from tests.rig import load

pytestmark = pytest.mark.integration


def test_a_release_and_the_way_back_drop_no_request(place: Place, shop: Service) -> None:
    first = shop.next()
    old = shop.serve(first)
    slow: list[str] = []
    with load.start(shop.port, 120, host=shop.route) as fast:
        waiting = [threading.Thread(target=lambda: slow.append(shop.ask("/slow/1.5").text)) for _ in range(4)]
        for thread in waiting:
            thread.start()
        assert until(lambda: _in_flight(place) >= 4)
        new = shop.serve()
        shop.retire(old)
        for thread in waiting:
            thread.join()
        back = shop.create(first)
        assert back.name == old.name
        assert shop.follow(back).state == "ready"
        shop.shift({back.name: 100})
    result = fast.stop()
    assert result.failures == {}
    assert result.sent > 100
    assert set(result.by_revision) == {old.name, new.name}
    assert slow == ["v1"] * 4
    assert shop.ask().revision == old.name
    assert len(shop.target.revisions()) == 2  # the warm container took the traffic back: no third one was made


def test_only_the_one_with_the_token_chooses_a_revision(place: Place, shop: Service) -> None:
    old, new = shop.serve(), shop.ready()
    assert shop.target.probe(new, ProbeRequest()).body == b"v2"
    assert shop.target.probe(old, ProbeRequest()).body == b"v1"
    assert shop.ask(X_Shipper_Pin=new.name).text == "v1"
    assert shop.ask(X_Shipper_Pin=new.name, X_Shipper_Token="guessed").text == "v1"
    seen = shop.target.probe(new, ProbeRequest(path="/headers")).body.decode().lower()
    assert "x-shipper" not in seen
    counted = place.by_hand("show table latency")
    assert f"/{old.name}" in counted
    assert f"/{new.name}" not in counted  # our own questions are not the gate's evidence


def test_a_revision_that_left_the_proxy_is_asked_by_nobody(shop: Service) -> None:
    old = shop.serve()
    shop.serve()
    shop.retire(old)
    with pytest.raises(NotFound, match="not behind the proxy"):
        shop.target.probe(old, ProbeRequest(method="POST", path="/die"))
    assert shop.ask().text == "v2"


def test_an_engine_whose_port_is_out_of_reach_is_asked_from_inside(
    shop: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = shop.ready()
    monkeypatch.setattr("shipper_targets.docker.adapter.is_local", lambda client: False)
    body = b"\x00\xff" * 100_000
    answer = shop.target.probe(revision, ProbeRequest(method="POST", path="/count", body=body))
    assert (answer.status, answer.body, answer.revision) == (200, b"200000 bytes", revision.name)


def test_a_new_route_comes_with_the_traffic_and_goes_with_it(own_place: Place) -> None:
    old = own_place.service("shop").serve()
    own_place.service("cart").serve()
    shop = own_place.service("shop", route="new.example")
    new = shop.ready()
    assert shop.ask(host="shop.localhost").text == "v1"
    assert shop.ask(host="new.example").status == 404
    shop.shift({new.name: 100})
    assert shop.ask(host="new.example").text == "v2"
    shop.shift({old.name: 100})
    assert shop.ask(host="shop.localhost").text == "v1"


def _in_flight(place: Place) -> int:
    return place.by_hand("show sess").count("be=slot")


def _restarts(place: Place, name: str) -> int:
    return int(place.client.api.inspect_container(name)["RestartCount"])
