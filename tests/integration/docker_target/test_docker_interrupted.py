"""What is left when somebody is killed in the middle: whatever it is, the next write carries on from there."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from shipper.targets import PlatformError
from shipper_targets.docker import host as docker_host
from tests.integration.docker_target.conftest import eventually
from tests.rig import load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.mark.sweep
def test_a_proxy_that_was_made_but_never_started_is_taken_over(host: Any) -> None:
    service = host.service()
    service.target._host._ensure_network()
    service.target._host._create(host.proxy)  # and killed here
    service.serve("one")
    host.engine.containers.get(host.proxy).remove(force=True)
    service.target._host._create(host.proxy)  # and killed here, with the state of before
    host.engine.containers.get(host.proxy).remove(force=True)
    revision = service.serve("two")
    assert service.ask().headers["x-shipper-revision"] == revision.name


def test_a_writer_that_is_killed_leaves_what_the_next_one_can_use(host: Any) -> None:
    service = host.service()
    first, second = service.serve("one"), service.serve("two")

    def write() -> None:
        target = service.connected()
        while True:
            for name in (first.name, second.name):
                with contextlib.suppress(PlatformError):
                    now = target.observe()
                    target.shift({name: 100}, now.stamp, now.seen)
                with contextlib.suppress(PlatformError):
                    now = target.observe()
                    target.create(service.release("more"), now.stamp, now.seen)

    with load.start(host.port, 60, host=service.route) as asked:
        for seconds in (0.3, 0.5, 0.7, 0.9):
            with another_process(write) as writer:
                time.sleep(seconds)
                os.kill(writer.pid, signal.SIGKILL)
        assert eventually(lambda: service.target.observe().drift == ())
        last = service.serve("last")
        result = asked.stop()
    assert result.failures == {}
    old = [revision for revision in service.target.revisions() if revision.name != last.name]
    service.retire(*old, to="removed")
    assert [revision.name for revision in service.target.revisions()] == [last.name]
    assert service.ask().text == "last"


@pytest.mark.sweep
def test_a_proxy_that_is_killed_during_a_change_comes_back_with_all_of_it_or_nothing(host: Any) -> None:
    service = host.service()
    first, second = service.serve("one"), service.serve("two")

    def write() -> None:
        target = service.connected()
        while True:
            for name in (first.name, second.name):
                with contextlib.suppress(PlatformError):
                    now = target.observe()
                    target.shift({name: 100}, now.stamp, now.seen)

    for seconds in (0.5, 0.65):
        with another_process(write) as writer:
            time.sleep(seconds)
            os.kill(int(host.engine.containers.get(host.proxy).attrs["State"]["Pid"]), signal.SIGKILL)
            os.kill(writer.pid, signal.SIGKILL)
        assert eventually(lambda: service.ask().status_code == 200)
        observed = service.target.observe()
        assert observed.drift == ()
        assert service.ask().headers["x-shipper-revision"] == observed.main.name
    service.shift(first)
    assert service.ask().text == "one"


@pytest.mark.sweep
def test_a_host_that_was_being_removed_when_its_run_was_killed_is_made_anew(host: Any) -> None:
    service = host.service()
    revision = service.serve()
    service.shift()
    service.retire(revision, to="removed")
    proxy = service.target._proxy
    proxy.leave(proxy.read(), 0)
    assert proxy.close()  # and killed here, before the proxy is removed
    service.serve("after")
    assert service.ask().text == "after"


def test_a_service_whose_removal_was_killed_half_way_is_gone_with_the_next_write(host: Any) -> None:
    shop, cart = host.service("shop"), host.service("cart")
    shop.serve("shop")
    host.in_the_proxy("mv /state/services/shop /state/leaving.shop")  # and killed here
    cart.serve("cart")
    assert "shop.localhost" not in host.at_the_proxy("show map /state/hosts.map")
    assert shop.target.observe().serving == ()
    again = shop.serve("again")
    assert shop.ask().text == "again"
    shop.remove()
    assert cart.ask().text == "cart"
    assert again.name not in " ".join(host.left())
    assert "shop" not in host.in_the_proxy("ls /state")


@pytest.mark.parametrize("then", ["remove", "gc", "release"])
def test_what_a_killed_removal_left_running_goes_with_the_next_run(
    service: Any, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(found: object) -> None:
        raise Killed

    old = service.serve("old")
    monkeypatch.setattr(service.target._containers, "remove", killed)
    with pytest.raises(Killed):
        service.remove()
    service.target = service.connected()
    observed = service.target.observe()
    assert ([revision.name for revision in observed.revisions], observed.serving) == ([old.name], ())
    if then == "remove":
        service.remove()
    elif then == "gc":
        assert old.name in {one.name for one in service.collect()}
    else:
        new = service.serve("new")
        service.retire(old, to="removed")
        assert (new.number, service.ask().text) == (2, "new")
    assert not [name for name in service.host.left() if name.endswith(old.name)]
    if service.host.proxy in service.host.left():  # else it went with its last service
        assert old.name not in service.host.in_the_proxy("ls /state/addresses")


@pytest.mark.sweep
def test_a_reload_of_the_proxy_loses_no_request_and_changes_nothing(host: Any) -> None:
    service = host.service()
    first, second = service.serve("one"), service.serve("two")
    service.shift(first, second)
    before = service.target.observe()
    with (
        load.start(host.port, 60, host=service.route) as keep_alive,
        load.start(host.port, 40, host=service.route, keep_alive=False) as fresh,
    ):
        for _ in range(2):
            host.engine.containers.get(host.proxy).kill("USR2")
            assert eventually(lambda: service.target.observe() == before)
        service.shift(second)
        results = [keep_alive.stop(), fresh.stop()]
    assert [result.failures for result in results] == [{}, {}]
    assert service.ask().text == "two"


def test_two_processes_that_come_first_at_the_same_time_share_one_proxy(host: Any) -> None:
    services = [host.service("one"), host.service("two")]
    with contextlib.ExitStack() as stack:
        for service in services:
            stack.enter_context(another_process(partial(service.serve, service.name), wait=30))
    assert [service.ask().text for service in services] == ["one", "two"]
    assert [name for name in host.left() if name.endswith("-proxy")] == [host.proxy]


def test_two_processes_that_replace_an_old_proxy_at_the_same_time_leave_one(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [host.service("one"), host.service("two")]
    for service in services:
        service.serve(service.name)
    monkeypatch.setattr(docker_host, "SCHEMA", docker_host.SCHEMA + 1)
    with contextlib.ExitStack() as stack:
        for service in services:
            stack.enter_context(another_process(partial(service.serve, f"new {service.name}"), wait=30))
    assert [service.ask().text for service in services] == ["new one", "new two"]
    assert [name for name in host.left() if "-proxy" in name] == [host.proxy]


def test_a_connection_that_idles_on_the_old_revision_does_not_hold_it(service: Any) -> None:
    import httpx

    old = service.serve("old")
    with httpx.Client(trust_env=False, headers={"Host": service.route}) as client:
        url = f"http://127.0.0.1:{service.host.port}/"
        assert client.get(url).text == "old"
        new = service.serve("new")
        begun = time.monotonic()
        service.retire(old, to="removed")
        assert time.monotonic() - begun < 5
        answer = client.get(url)
    assert (answer.text, answer.headers["x-shipper-revision"]) == ("new", new.name)


@pytest.mark.sweep
def test_a_revision_whose_container_somebody_stopped_can_be_retired_and_brought_back(service: Any) -> None:
    first = service.release("one")
    old = service.serve(release=first)
    new = service.serve("two")
    service.container(old).stop(timeout=1)
    service.retire(old, to="stopped")
    assert service.weights() == {new.name: 100}
    assert service.serve(release=first).name == old.name
    assert service.ask().text == "one"


@contextlib.contextmanager
def another_process(call: Callable[[], Any], *, wait: float = 0.0) -> Iterator[Any]:
    """`call` in a process of its own; ended, or killed after `wait` seconds, when the block is left."""
    process = multiprocessing.get_context("fork").Process(target=call, daemon=True)
    process.start()
    try:
        yield process
        if wait:
            process.join(wait)
            assert process.exitcode == 0
    finally:
        process.kill()
        process.join(10)
