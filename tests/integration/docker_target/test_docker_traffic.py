"""What clients of a service see while it is released: the docker target on a real engine."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shipper.model import ProbeRequest, Stamp
from shipper.targets import Conflict, Transient
from tests.rig import load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_first_release_serves_by_its_host_name(service: Any) -> None:
    revision = service.create(service.release("one"))
    assert service.wait(revision).state == "ready"
    assert service.ask().status_code == 503, "no traffic before the shift"
    service.shift(revision)
    answer = service.ask()
    assert (answer.status_code, answer.text) == (200, "one")
    assert answer.headers.get_list("x-shipper-revision") == [revision.name], "whatever the service says"
    assert service.weights() == {revision.name: 100}
    assert service.ask(host=f"{service.route.upper()}:8080").text == "one"


def test_no_request_fails_during_a_release(service: Any) -> None:
    old = service.serve("old")
    port, route = service.host.port, service.route
    with (
        load.start(port, 75, host=route) as keep_alive,
        load.start(port, 75, host=route, keep_alive=False) as fresh,
        load.start(port, 5, host=route, path="/slow?1.5") as slow,
    ):
        new = service.serve("new")
        service.retire(old)
        service.retire(old, to="removed")
        assert service.ask().text == "new"
        results = [one.stop() for one in (keep_alive, fresh, slow)]
    for result in results:
        assert result.failures == {}
        assert set(result.by_revision) == {old.name, new.name}


def test_a_request_that_changes_something_is_never_sent_twice(service: Any) -> None:
    first, second = service.serve("one"), service.serve("two")
    service.create(service.release("three"))
    service.shift(first, second)
    assert service.ask("/die", method="POST").status_code == 502
    said = [line for one in (first, second) for line in service.target.logs(one)]
    assert said.count("POST /die") == 1


def test_weights_split_the_traffic_exactly(service: Any) -> None:
    first, second = service.serve("one"), service.serve("two")
    service.shift(first, second)
    assert service.weights() == {first.name: 50, second.name: 50}
    with httpx.Client(trust_env=False, headers={"Host": service.route}) as client:
        answers = [client.get(f"http://127.0.0.1:{service.host.port}/").text for _ in range(40)]
    assert (answers.count("one"), answers.count("two")) == (20, 20)


def test_a_probe_that_is_not_answered_in_time_is_transient(service: Any) -> None:
    revision = service.serve()
    with pytest.raises(Transient, match=r"no answer within 0\.2 s"):
        service.target.probe(revision, ProbeRequest(path="/slow?1", timeout=0.2))


def test_a_write_on_what_was_seen_before_somebody_wrote_is_refused(service: Any) -> None:
    revision = service.serve()
    seen = service.seen
    service.target.write_stamp(Stamp(), seen)
    writes: list[Callable[[], object]] = [
        lambda: service.target.create(service.release("late"), Stamp(), seen),
        lambda: service.target.shift({}, Stamp(), seen),
        lambda: service.target.retire([revision], "stopped", seen),
        lambda: service.target.write_stamp(Stamp(), seen),
    ]
    for write in writes:
        with pytest.raises(Conflict, match="was seen"):
            write()
    assert service.weights() == {revision.name: 100}


def test_of_eight_writers_at_once_exactly_one_wins(service: Any) -> None:
    service.serve()
    seen = service.seen
    start = threading.Barrier(8)
    writers = [service.connected() for _ in range(8)]

    def write(target: Any) -> str:
        target.observe()
        start.wait(10)
        try:
            target.write_stamp(Stamp(), seen)
        except Conflict:
            return "conflict"
        return "won"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(write, writers))
    assert outcomes == ["conflict"] * 7 + ["won"]


def test_two_services_and_two_environments_are_told_apart_by_host(shared_host: Any) -> None:
    one, two = shared_host.service("alpha"), shared_host.service("beta")
    staged = shared_host.service("alpha", environment="staging")
    for service, name in ((one, "a"), (two, "b"), (staged, "s")):
        service.serve(name)
    assert [service.ask().text for service in (one, two, staged)] == ["a", "b", "s"]
    assert staged.route == "staging.alpha.localhost"
    unknown = one.ask(host="nobody.example")
    assert (unknown.status_code, unknown.text) == (404, "shipper: no service for host nobody.example\n")


def test_a_service_that_is_alone_answers_to_any_name(host: Any) -> None:
    one, two = host.service("one"), host.service("two")
    one.serve("first")
    assert one.ask(host="127.0.0.1").text == "first"
    revision = two.serve("second")
    assert one.ask(host="127.0.0.1").status_code == 404, "two serve: a name is needed"
    two.shift()
    assert one.ask(host="127.0.0.1").text == "first", "only what serves counts"
    two.retire(revision, to="removed")
