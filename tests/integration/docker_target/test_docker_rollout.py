"""The rollout on the docker target: what serves afterwards, whatever happened before or meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import Interrupted, PutBack, RolloutFailed
from shipper.model import Deployable, Deployment, ImageRef
from shipper.rollout.all_at_once import roll_out
from tests.rig import load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


class Told:
    """A reporter that keeps the remarks; `when` runs at every step."""

    def __init__(self, when: Callable[[str], None] = lambda _: None) -> None:
        self.remarks: list[str] = []
        self.when = when

    def progress(self, text: str, *more: object) -> None:
        self.when(text)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def log(self, line: str, stream: str = "stdout") -> None:
        raise AssertionError(line)

    def evidence(self, evidence: object) -> None:
        raise AssertionError(evidence)

    def emit(self, event: object) -> None:
        pass


class Switch:
    """A cancellation that a test throws by hand."""

    def __init__(self) -> None:
        self.thrown = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.thrown.is_set()

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("interrupted")


class Watch:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


def release(service: Any, name: str, told: Told | None = None, switch: Switch | None = None, **env: str) -> Deployment:
    settings = service.settings(run={"env": {"NAME": name, **env}})
    target = service.connected(run={"env": {"NAME": name, **env}})
    image = ImageRef(config_digest=service.host.image, reference=service.host.image, platform="linux/amd64")
    deployable = Deployable(images={"main": image}, published=False)
    return roll_out(
        deployable, settings, "local", target, service.keys, told or Told(), switch or Switch(), Watch()  # type: ignore[arg-type]
    )  # fmt: skip


def test_three_releases_leave_two_containers_and_the_second_time_nothing_to_do(service: Any) -> None:
    told = Told()
    done = [release(service, name, told) for name in ("one", "two", "three")]
    assert [deployment.verdict.proof for deployment in done] == ["identity"] * 3
    assert service.ask().text == "three"
    assert [(found.number, found.state) for found in service.target.revisions()] == [(2, "running"), (3, "running")]
    assert not release(service, "three").changed
    assert told.remarks == []


def test_a_release_while_the_proxy_is_gone_brings_it_back(host: Any) -> None:
    service = host.service()
    release(service, "one")
    host.engine.containers.get(host.proxy).stop(timeout=1)
    assert release(service, "two").verdict.proof == "identity"
    host.engine.containers.get(host.proxy).remove(force=True)
    assert release(service, "three").number == 3
    assert service.ask().text == "three"


@pytest.mark.parametrize("behave", ["crash", "sick"])
def test_a_release_that_does_not_get_ready_leaves_no_trace(shared_host: Any, behave: str) -> None:
    service = shared_host.service(health={"startup": 1, "timeout": 1})
    release(service, "one")
    with load.start(shared_host.port, 60, host=service.route) as asked:
        with pytest.raises(RolloutFailed) as failure:
            release(service, "two", BEHAVE=behave)
        assert asked.stop().failures == {}
    assert failure.value.cause == ("crashed" if behave == "crash" else "bad-status")
    assert [found.number for found in service.target.revisions()] == [1]


def test_an_interrupt_after_the_shift_puts_the_traffic_back(service: Any) -> None:
    release(service, "one")
    switch = Switch()
    told = Told(lambda text: switch.thrown.set() if text.startswith("verifying") else None)
    with load.start(service.host.port, 60, host=service.route) as asked:
        with pytest.raises((Interrupted, PutBack)):
            release(service, "two", told, switch)
        assert asked.stop().failures == {}
    assert service.ask().text == "one"
    assert [found.number for found in service.target.revisions()] == [1]


def test_a_first_release_that_fails_leaves_nothing_serving(service: Any) -> None:
    with pytest.raises(RolloutFailed):
        release(service, "one", BEHAVE="crash")
    assert service.target.observe().revisions == ()
    assert service.ask().status_code in (404, 503)
    assert release(service, "two").number == 2, "numbers are not used twice"
