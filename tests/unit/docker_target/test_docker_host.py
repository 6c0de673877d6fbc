"""Several runs at one host's proxy at once, on an engine that knows only what it needs for that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests

from shipper.targets import NotFound, Transient
from shipper_targets.docker import host as docker_host
from shipper_targets.docker.host import SCHEMA, Host
from shipper_targets.docker.proxy import Closed
from shipper_targets.docker.settings import DockerSettings

pytestmark = [pytest.mark.unit, pytest.mark.timeout(20)]

PROXY, VOLUME = "shipper-proxy", "shipper-state"


class Engine:
    """Containers, one network and one volume. Wrong in it: no call takes time, and a port is never taken."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.networks_made = ["n1"]
        self.volume = True
        self.count = 0
        self.lock = threading.RLock()

    def add(self, name: str, schema: int = SCHEMA, running: bool = True) -> str:
        with self.lock:
            if any(found["name"] == name for found in self.containers.values()):
                raise refusal(409, f'the container name "/{name}" is already in use')
            self.count += 1
            made = f"id{self.count}"
            network = self.networks_made[0] if self.networks_made else ""
            self.containers[made] = {"name": name, "schema": schema, "running": running, "network": network}
            self.volume = True
            return made

    def names(self) -> list[str]:
        return sorted(found["name"] for found in self.containers.values())

    def _found(self, wanted: str) -> str:
        for made, found in self.containers.items():
            if wanted in (made, found["name"]):
                return made
        raise refusal(404, f"No such container: {wanted}")

    def inspect_container(self, wanted: str) -> dict[str, Any]:
        with self.lock:
            made = self._found(wanted)
            found = self.containers[made]
            return {
                "Id": made,
                "Config": {"Labels": {"shipper.proxy-schema": str(found["schema"])}},
                "State": {"Running": found["running"]},
                "NetworkSettings": {"Networks": {"shipper": {"NetworkID": found["network"]}}},
            }

    def remove_container(self, wanted: str, force: bool = False) -> None:
        with self.lock:
            del self.containers[self._found(wanted)]

    def stop(self, wanted: str, timeout: int = 0) -> None:
        self.containers[self._found(wanted)]["running"] = False

    def start(self, wanted: str) -> None:
        self.containers[self._found(wanted)]["running"] = True

    def rename(self, wanted: str, name: str) -> None:
        with self.lock:
            self.containers[self._found(wanted)]["name"] = name

    def logs(self, wanted: str, tail: int = 0) -> bytes:
        return b""

    def networks(self, names: object = None) -> list[dict[str, Any]]:
        config = [{"Subnet": "10.213.1.0/24"}]
        return [{"Id": made, "Name": "shipper", "IPAM": {"Config": config}} for made in self.networks_made]

    def remove_network(self, made: str) -> None:
        if made not in self.networks_made:
            raise refusal(404, f"network {made} not found")
        if any(found["running"] and found["network"] == made for found in self.containers.values()):
            raise refusal(403, f"network {made} has active endpoints")
        self.networks_made.remove(made)

    def create_volume(self, name: str, labels: object) -> None:
        self.volume = True

    def inspect_volume(self, name: str) -> dict[str, str]:
        if not self.volume:
            raise refusal(404, f"no such volume: {name}")
        return {"Name": name}

    def remove_volume(self, name: str) -> None:
        if self.containers:
            raise refusal(409, "volume is in use")
        self.volume = False


def refusal(status: int, words: str) -> docker.errors.APIError:
    answer = requests.Response()
    answer.status_code = status
    return docker.errors.APIError(words, response=answer, explanation=words)


class Run(Host):
    """One run's view of the host; `before` is called before each of its calls of that name."""

    def __init__(self, engine: Engine, answers: Callable[[], bool] | None = None) -> None:
        self.engine = engine
        proxy: Any = SimpleNamespace(name=PROXY, volume=VOLUME, answers=answers or self._runs)
        client: Any = SimpleNamespace(api=engine, images=SimpleNamespace(get=lambda name: None))
        super().__init__(client, DockerSettings(), proxy)
        self.made: Callable[[], object] = lambda: None

    def _runs(self) -> bool:
        try:
            return bool(self.engine.inspect_container(PROXY)["State"]["Running"])
        except docker.errors.APIError as error:
            raise NotFound("No such container") from error

    def _create(self, name: str) -> str:
        try:
            made = self.engine.add(name, running=False)
        except docker.errors.APIError as error:
            raise docker_host.Invalid(str(error)) from error
        self.made()
        return made


def in_a_thread(call: Callable[[], object], ended: dict[str, object], name: str) -> threading.Thread:
    def run() -> None:
        ended[name] = "at work"
        call()
        ended[name] = "done"

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_two_runs_that_replace_an_old_proxy_at_once_leave_one_that_runs() -> None:
    engine = Engine()
    engine.add(PROXY, SCHEMA - 1)
    one, other = Run(engine), Run(engine)
    one_made, go_on = threading.Event(), threading.Event()

    def one_takes_a_while() -> None:
        one_made.set()
        go_on.wait(5)

    one.made = one_takes_a_while
    ended: dict[str, object] = {}
    first = in_a_thread(one.ensure, ended, "one")
    one_made.wait(5)
    second = in_a_thread(other.ensure, ended, "other")
    second.join(0.5)
    assert ended["other"] == "at work", "it waits"
    go_on.set()
    first.join(5)
    second.join(5)
    assert ended == {"one": "done", "other": "done"}
    assert (engine.names(), engine.count) == ([PROXY], 2), "the other one made nothing of its own"
    (proxy,) = engine.containers.values()
    assert (proxy["schema"], proxy["running"]) == (SCHEMA, True)


def test_a_run_whose_old_proxy_was_replaced_by_another_leaves_nothing_beside_it() -> None:
    engine = Engine()
    old = engine.add(PROXY, SCHEMA - 1)
    run = Run(engine)

    def another_was_faster() -> None:
        if old in engine.containers:
            engine.remove_container(old)
            engine.add(PROXY)

    run.made = another_was_faster
    run.ensure()
    assert engine.names() == [PROXY]


def test_a_proxy_that_goes_again_and_again_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_host, "_PAUSE", 0.0)
    engine = Engine()
    run = Run(engine)
    run.made = lambda: engine.remove_container(PROXY)
    with pytest.raises(Transient, match=r"made and removed at the same time: .*No such container"):
        run.ensure()


def test_a_closed_host_that_another_run_has_made_anew_stays() -> None:
    engine = Engine()
    closed = engine.add(PROXY)

    def another_makes_a_new_host() -> bool:
        if closed in engine.containers:
            engine.remove_container(closed)
            engine.add(PROXY)
            raise Closed("the proxy of this host is being removed")
        return True

    Run(engine, another_makes_a_new_host).ensure()
    assert (engine.names(), engine.networks_made, engine.volume) == ([PROXY], ["n1"], True)


def test_a_host_that_another_run_removes_is_left_to_it() -> None:
    engine = Engine()
    closed = engine.add(PROXY, running=False)
    run = Run(engine)
    removing = engine.remove_container

    def another_was_faster(wanted: str, force: bool = False) -> None:
        removing(wanted)
        removing(wanted)

    engine.remove_container = another_was_faster  # type: ignore[method-assign]
    run.remove(closed)
    assert (engine.networks_made, engine.volume) == (["n1"], True)


def test_a_closed_host_goes_with_what_a_killed_replacement_left() -> None:
    engine = Engine()
    closed = engine.add(PROXY)
    engine.add(f"{PROXY}-next", running=False)
    run = Run(engine)
    assert run.identity() == closed
    run.remove(closed)
    assert (engine.names(), engine.networks_made, engine.volume) == ([], [], False)
    assert (run.identity(), run.present()) == ("", False)


def test_a_state_volume_alone_is_something_of_ours() -> None:
    engine = Engine()
    engine.networks_made.clear()
    assert Run(engine).present()
    engine.volume = False
    assert not Run(engine).present()


def test_what_a_killed_replacement_left_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_host, "_MAKER_TIMEOUT", 0.2)
    engine = Engine()
    engine.add(PROXY, SCHEMA - 1)
    left = engine.add(f"{PROXY}-next", running=False)
    Run(engine).ensure()
    assert engine.names() == [PROXY]
    assert left not in engine.containers
