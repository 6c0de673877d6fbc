"""What the proxy counted for each revision: the evidence of a gate, exact to one request."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import ProbeRequest
from shipper.targets import Transient

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_answers_errors_and_silence_are_counted_for_the_revision_they_came_from(service: Any) -> None:
    old = service.serve("old")
    assert service.target.measure()[old.name].requests == 0, "our own questions are not the gate's evidence"
    for path in ("/", "/", "/broken", "/slow?0.3"):
        service.ask(path)
    assert service.ask("/silent", method="POST").status_code == 502
    new = service.serve("new")
    service.ask()
    service.target.probe(old, ProbeRequest())
    counted = service.target.measure()
    assert (counted[old.name].requests, counted[old.name].errors) == (5, 2)
    assert counted[old.name].buckets[0.25] == 3
    assert counted[old.name].buckets[1.0] == 4
    assert (counted[new.name].requests, counted[new.name].errors) == (1, 0)


def test_two_services_share_no_counter(shared_host: Any) -> None:
    one, two = shared_host.service(), shared_host.service()
    first, second = one.serve("one"), two.serve("two")
    one.ask()
    assert {name: traffic.requests for name, traffic in one.target.measure().items()} == {first.name: 1}
    assert {name: traffic.requests for name, traffic in two.target.measure().items()} == {second.name: 0}


def test_nothing_is_counted_where_nothing_is(host: Any) -> None:
    service = host.service()
    with pytest.raises(Transient):
        service.target.measure()
    service.target.make_secret_key()
    assert service.target.measure() == {}
