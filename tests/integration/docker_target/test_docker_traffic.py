"""What clients of a service see while it is released: the docker target on a real engine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shipper.errors import Interrupted
from shipper.model import ProbeRequest
from shipper.pipeline.cancellation import RunCancellation
from shipper.targets import NotFound, Transient
from tests.integration.docker_target.conftest import eventually
from tests.rig import load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_first_release_serves_by_its_host_name(service: Any) -> None:
    revision = service.ready(service.release("one"))
    before = service.ask()
    assert (before.status_code, before.headers["retry-after"]) == (503, "5"), "no traffic before the shift"
    assert before.text == f"shipper: no revision answers for host {service.route}\n"
    service.shift(revision)
    answer = service.ask()
    assert (answer.status_code, answer.text) == (200, "one")
    assert answer.headers.get_list("x-shipper-revision") == [revision.name], "whatever the service says"
    assert service.weights() == {revision.name: 100}
    assert service.ask(host=f"{service.route.upper()}:8080").text == "one"


def test_no_request_fails_during_a_release_and_the_way_back(service: Any) -> None:
    first = service.release("old")
    old = service.serve(release=first)
    port, route = service.host.port, service.route
    with (
        load.start(port, 75, host=route) as keep_alive,
        load.start(port, 75, host=route, keep_alive=False) as fresh,
        load.start(port, 5, host=route, path="/slow?1.5") as slow,
    ):
        new = service.serve("new")
        service.retire(old)
        assert service.create(first).name == old.name
        assert service.wait(old).state == "ready"
        service.shift(old)
        service.retire(new, to="removed")
        assert service.ask().text == "old"
        results = [one.stop() for one in (keep_alive, fresh, slow)]
    for result in results:
        assert result.failures == {}
        assert set(result.by_revision) == {old.name, new.name}
    assert [found.name for found in service.target.revisions()] == [old.name], "the warm one came back: no third"
    assert service.told.remarks == []


def test_what_is_under_way_when_the_drain_runs_out_is_cut_off_and_told(shared_host: Any) -> None:
    service = shared_host.service(rollout={"drain": 1})
    old = service.serve("old")
    with under_way(service, old) as said:
        service.serve("new")
        service.retire(old, to="removed")
    assert said == [502]
    expected = f"1 request was still under way on {old.name} after [rollout] drain = 1 s, and cut off there"
    assert service.told.remarks == [expected]


@pytest.mark.sweep
def test_a_run_that_is_being_ended_drains_no_longer_than_it_has(service: Any) -> None:
    old = service.serve("old")
    with under_way(service, old):
        service.serve("new")
        cancel = RunCancellation()
        cancel.cancel(Interrupted("interrupted"), within=2.0)
        ending = service.connected(cancel=cancel, rollout={"drain": 30})
        begun = time.monotonic()
        ending.retire([old], "removed", service.stamp(), service.seen)
    assert time.monotonic() - begun < 15
    assert len(service.told.remarks) == 1


def test_a_request_that_changes_something_is_never_sent_twice(service: Any) -> None:
    first, second = service.serve("one"), service.serve("two")
    service.create(service.release("three"))
    service.shift(first, second)
    assert service.ask("/die", method="POST").status_code == 502
    said = [line for one in (first, second) for line in service.target.logs(one)]
    assert said.count("POST /die") == 1


def test_weights_split_the_traffic_exactly(service: Any) -> None:
    first, second = service.serve("one"), service.serve("two")
    service.shift(weights={first.name: 25, second.name: 75})
    assert service.weights() == {first.name: 25, second.name: 75}
    with httpx.Client(trust_env=False, headers={"Host": service.route}) as client:
        answers = [client.get(f"http://127.0.0.1:{service.host.port}/").text for _ in range(40)]
    assert (answers.count("one"), answers.count("two")) == (10, 30)


@pytest.mark.sweep
def test_the_old_one_can_be_stopped_first(service: Any) -> None:
    old = service.serve("old")
    service.shift()
    service.retire(old, to="stopped")
    assert service.ask().headers["retry-after"] == "5"
    assert service.container(old).status == "exited"
    service.serve("new")
    assert service.ask().text == "new"
    service.shift()
    service.create(service.target.records()[0])
    assert service.wait(old).state == "ready"
    service.shift(old)
    assert service.ask().text == "old"


def test_only_the_one_with_the_token_chooses_a_revision(service: Any) -> None:
    old, new = service.serve("old"), service.ready(service.release("new"))
    assert service.target.probe(new, ProbeRequest()).body == b"new"
    assert service.target.probe(old, ProbeRequest()).body == b"old"
    assert service.ask(X_Shipper_Pin=new.name).text == "old"
    assert service.ask(X_Shipper_Pin=new.name, X_Shipper_Token="guessed").text == "old"
    seen = service.target.probe(new, ProbeRequest(path="/headers")).body.decode().lower()
    assert "x-shipper" not in seen


def test_a_probe_that_is_not_answered_in_time_is_transient(service: Any) -> None:
    revision = service.serve()
    with pytest.raises(Transient, match=r"no answer within 0\.2 s"):
        service.target.probe(revision, ProbeRequest(path="/slow?1", timeout=0.2))


@pytest.mark.sweep
def test_a_revision_that_left_the_proxy_is_asked_by_nobody(service: Any) -> None:
    old = service.serve("old")
    service.serve("new")
    service.retire(old, to="stopped")
    with pytest.raises(NotFound, match="not behind the proxy"):
        service.target.probe(old, ProbeRequest(method="POST", path="/die"))
    assert service.ask().text == "new"


def test_a_host_whose_port_is_out_of_reach_is_asked_from_inside(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = service.serve("old"), service.ready(service.release("new"))
    monkeypatch.setattr("shipper_targets.docker.questions.is_local", lambda client: False)
    body = b"\x00\xff" * 100_000
    answer = service.target.probe(new, ProbeRequest(method="POST", path="/count", body=body))
    assert (answer.status, answer.body, answer.revision) == (200, b"200000 bytes", new.name)
    routed = service.target.ask(ProbeRequest())
    assert (routed.status, routed.body, routed.revision) == (200, b"old", old.name)
    with pytest.raises(Transient, match=r"no answer within 0\.2 s"):
        service.target.ask(ProbeRequest(path="/slow?1", timeout=0.2))


def test_a_question_from_inside_ends_with_the_run(service: Any) -> None:
    service.serve()
    cancel = RunCancellation()
    threading.Timer(0.5, lambda: cancel.cancel(Interrupted("interrupted"))).start()
    with pytest.raises(Interrupted):
        service.connected(cancel=cancel).ask(ProbeRequest(path="/slow?20", timeout=20))


def test_a_new_route_comes_with_the_traffic_and_goes_with_it(host: Any) -> None:
    old = host.service("shop").serve("one")
    host.service("cart").serve()
    shop = host.service("shop", own={"route": "new.example"})
    new = shop.ready(shop.release("two"))
    assert shop.ask(host="shop.localhost").text == "one"
    assert shop.ask(host="new.example").status_code == 404
    shop.shift(new)
    assert shop.ask(host="new.example").text == "two"
    shop.shift(old)
    assert shop.ask(host="shop.localhost").text == "one"
    assert shop.ask(host="new.example").status_code == 404


@pytest.mark.sweep
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
    revision = one.ready(one.release("first"))
    assert one.ask(host="127.0.0.1").headers["retry-after"] == "5", "also while nothing serves"
    one.shift(revision)
    assert one.ask(host="127.0.0.1").text == "first"
    second = two.serve("second")
    assert one.ask(host="127.0.0.1").status_code == 404, "two serve: a name is needed"
    two.shift()
    assert one.ask(host="127.0.0.1").text == "first", "only what serves counts"
    two.retire(second, to="removed")


@contextlib.contextmanager
def under_way(service: Any, revision: Any) -> Iterator[list[int]]:
    """A request that takes longer than anybody waits, at work on this revision; the status it ended with."""
    said: list[int] = []
    route = service.route
    asking = threading.Thread(target=lambda: said.append(service.ask("/slow?9", method="POST", host=route).status_code))
    asking.start()
    try:
        assert eventually(lambda: _in_flight(service, revision))
        yield said
    finally:
        asking.join(20)


def _in_flight(service: Any, revision: Any) -> bool:
    lines = [line.split() for line in service.host.at_the_proxy("show servers conn").splitlines()]
    return any(words[0].endswith(f"/{revision.name}") and words[6] != "0" for words in lines if len(words) > 6)
