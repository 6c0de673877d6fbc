"""The gate before the API server: what it sees, and what a client sees when it fails, holds or cuts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes import watch
from kubernetes.client import ApiClient, ApiException, CoreV1Api
from urllib3.exceptions import HTTPError, ProtocolError

from tests.rig.kubernetes import asking
from tests.rig.kubernetes.handle import KubeRig

pytestmark = pytest.mark.integration

APPLY = "application/apply-patch+yaml"
WRITER = """
import sys
from tests.rig.kubernetes import asking
from pathlib import Path
client = asking.client_of(Path(sys.argv[1]))
for name in ("one", "two", "three"):
    body = {"metadata": {"name": name}}
    asking.done(client, "POST", f"/api/v1/namespaces/{sys.argv[2]}/configmaps", body)
"""


@pytest.fixture(scope="module")
def through(kube_rig: KubeRig) -> ApiClient:
    """A client that goes through the gate."""
    return kube_rig.api(gate=True)


@pytest.fixture
def there(kube_namespace: str) -> str:
    return f"/api/v1/namespaces/{kube_namespace}/configmaps"


@pytest.fixture
def written(kube_rig: KubeRig, there: str) -> Callable[[], list[str]]:
    """The names of the config maps that are there, asked past the gate."""

    def names() -> list[str]:
        found = kube_rig.request("GET", there)[1]["items"]
        return sorted(one["metadata"]["name"] for one in found if one["metadata"]["name"] != "kube-root-ca.crt")

    return names


@pytest.fixture
def writer(kube_rig: KubeRig, kube_namespace: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that writes three times, one after the other; it starts when the test asks for it."""
    words = [sys.executable, "-c", WRITER, str(kube_rig.kubeconfig(gate=True)), kube_namespace]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": "."}, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def put(client: ApiClient, there: str, name: str) -> tuple[int, Any]:
    return asking.request(client, "POST", there, {"metadata": {"name": name}})


def test_it_sees_each_write_in_order_and_how_it_ended(
    kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str
) -> None:
    assert put(through, there, "one")[0] == 201
    assert put(through, there, "one")[0] == 409
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    patched = f"{there}/one?fieldManager=shipper"
    assert asking.request(through, "PATCH", f"{patched}&dryRun=All", body, APPLY)[0] == 200
    assert asking.request(through, "PATCH", patched, body, APPLY)[0] == 200
    assert asking.request(through, "GET", f"{there}/one")[0] == 200
    assert asking.request(through, "DELETE", f"{there}/one")[0] == 200

    writes = kube_rig.gate.writes(kube_namespace)

    assert [str(write) for write in writes] == [
        "1. create configmaps one -> 201",
        "2. create configmaps one -> 409",
        "3. patch configmaps one -> 200",
        "4. delete configmaps one -> 200",
    ]
    assert writes[2].field_manager == "shipper"
    assert writes[0].user_agent.startswith("OpenAPI-Generator/")
    assert kube_rig.gate.calls(kube_namespace) == {
        "create configmaps": 2,
        "patch configmaps (dry run)": 1,
        "patch configmaps": 1,
        "get configmaps": 1,
        "delete configmaps": 1,
    }


def test_it_answers_as_the_server_would(
    kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str, written: Callable[[], list[str]]
) -> None:
    kube_rig.gate.fail(kube_namespace, 503, verb="create", resource="configmaps", times=2)
    kube_rig.gate.fail(kube_namespace, 504, verb="write", name="late", after=True)
    kube_rig.gate.fail(kube_namespace, 429, verb="get")

    assert [put(through, there, "one")[0] for _ in range(3)] == [503, 503, 201]
    assert put(through, there, "late")[1]["reason"] == "Timeout"
    assert written() == ["late", "one"]
    assert asking.request(through, "GET", f"{there}/one")[0] == 200
    assert kube_rig.gate.calls(kube_namespace)["get configmaps"] == 2, "a client waits as 429 says, and asks again"
    kube_rig.gate.fail(kube_namespace, 409, resource="configmaps")
    with pytest.raises(ApiException) as refused:
        CoreV1Api(through).delete_namespaced_config_map("one", kube_namespace)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    ended = [(write.status, write.ended) for write in kube_rig.gate.writes(kube_namespace)]
    assert ended == [(503, "refused"), (503, "refused"), (201, ""), (201, "refused"), (409, "refused")]


def test_it_cuts_before_and_after(
    kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str, written: Callable[[], list[str]]
) -> None:
    kube_rig.gate.fail(kube_namespace, "cut", name="never")
    with pytest.raises((HTTPError, ApiException)):
        put(through, there, "never")
    kube_rig.gate.fail(kube_namespace, "cut-after", name="done")
    with pytest.raises((HTTPError, ApiException)):
        put(through, there, "done")

    assert written() == ["done"]
    assert [write.ended for write in kube_rig.gate.writes(kube_namespace)] == ["cut", "cut"]
    assert put(through, there, "next")[0] == 201


def test_it_slows_one_request_or_all(kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str) -> None:
    started = time.monotonic()
    kube_rig.gate.fail(kube_namespace, "slow", resource="configmaps", seconds=0.5)
    assert put(through, there, "one")[0] == 201
    assert time.monotonic() - started >= 0.5
    kube_rig.gate.slow(kube_namespace, 0.3)
    started = time.monotonic()
    assert asking.request(through, "GET", there)[0] == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("when", "kept"), [("before", ["one"]), ("after", ["one", "two"])])
def test_a_client_that_is_killed_at_its_second_write_has_written_so_far(
    kube_rig: KubeRig,
    kube_namespace: str,
    request: pytest.FixtureRequest,
    written: Callable[[], list[str]],
    when: Any,
    kept: list[str],
) -> None:
    kube_rig.gate.hold(kube_namespace, 2, when)
    writer: subprocess.Popen[bytes] = request.getfixturevalue("writer")
    held = kube_rig.gate.held(kube_namespace)
    assert held is not None
    assert (held.name, held.status) == ("two", None if when == "before" else 201)
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    kube_rig.gate.release(kube_namespace, carry=False)

    assert written() == kept
    last = kube_rig.gate.writes(kube_namespace)[-1]
    assert (last.name, last.ended) == ("two", "gone")


def test_a_released_client_goes_on(
    kube_rig: KubeRig, kube_namespace: str, request: pytest.FixtureRequest, written: Callable[[], list[str]]
) -> None:
    kube_rig.gate.hold(kube_namespace, 3)
    writer: subprocess.Popen[bytes] = request.getfixturevalue("writer")
    assert kube_rig.gate.held(kube_namespace) is not None
    assert written() == ["one", "two"]
    kube_rig.gate.release(kube_namespace)
    assert writer.wait(30) == 0
    assert written() == ["one", "three", "two"]


@pytest.mark.parametrize(("when", "kept"), [("before", []), ("after", ["one"])])
def test_a_write_that_is_not_let_go_on_ends_its_connection(
    kube_rig: KubeRig,
    kube_namespace: str,
    through: ApiClient,
    there: str,
    written: Callable[[], list[str]],
    when: Any,
    kept: list[str],
) -> None:
    with ThreadPoolExecutor(1) as client:
        kube_rig.gate.hold(kube_namespace, when=when, verb="create", resource="configmaps", name="one")
        assert put(through, there, "other")[0] == 201
        writing = client.submit(put, through, there, "one")
        held = kube_rig.gate.held(kube_namespace)
        assert held is not None
        assert held.name == "one"
        kube_rig.gate.release(kube_namespace, carry=False)
        with pytest.raises((HTTPError, ApiException)):
            writing.result(20)
    assert written() == [*kept, "other"]
    assert kube_rig.gate.writes(kube_namespace)[-1].ended == "dropped"


def test_another_writer_comes_just_before(
    kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str
) -> None:
    with kube_rig.gate.meanwhile(kube_namespace, lambda write: put(kube_rig.client, there, write.name)):
        assert put(through, there, "one")[0] == 409


def test_namespaces_do_not_meet(kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str) -> None:
    other = kube_rig.namespace()
    kube_rig.gate.hold(other)
    kube_rig.gate.fail(other, 500)
    assert put(through, there, "one")[0] == 201
    assert kube_rig.gate.writes(other) == []
    assert kube_rig.gate.held(other, seconds=0.1) is None
    kube_rig.drop(other)


def test_many_clients_at_once(kube_rig: KubeRig, kube_namespace: str, there: str) -> None:
    def write(number: int) -> int:
        return put(kube_rig.api(gate=True), there, f"one-{number}")[0]

    with ThreadPoolExecutor(20) as clients:
        assert set(clients.map(write, range(60))) == {201}
    writes = kube_rig.gate.writes(kube_namespace)
    assert [write.number for write in writes] == list(range(1, 61))
    assert len({write.name for write in writes}) == 60


class Watching:
    """The events of a namespace's config maps, in a thread of its own, until the stream ends."""

    def __init__(self, client: ApiClient, namespace: str, version: str) -> None:
        self.names: list[str] = []
        self.seen = threading.Condition()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(client, namespace, version), daemon=True)
        self.thread.start()

    def _run(self, client: ApiClient, namespace: str, version: str) -> None:
        try:
            listing = CoreV1Api(client).list_namespaced_config_map
            watching = watch.Watch()  # type: ignore[no-untyped-call]
            options = {"resource_version": version, "timeout_seconds": 60}
            for event in watching.stream(listing, namespace, **options):  # type: ignore[no-untyped-call]
                with self.seen:
                    self.names.append(event["object"].metadata.name)
                    self.seen.notify_all()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error
        with self.seen:
            self.seen.notify_all()

    def wait_for(self, names: list[str]) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: self.names == names or self.error is not None, 20), self.names
        assert self.error is None


def version_of(kube_rig: KubeRig, there: str) -> str:
    return str(kube_rig.request("GET", there)[1]["metadata"]["resourceVersion"])


def test_a_watch_passes_through_event_by_event_and_ends_with_410(
    kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str
) -> None:
    before = version_of(kube_rig, there)
    watching = Watching(through, kube_namespace, before)
    for names in (["one"], ["one", "two"]):
        assert put(kube_rig.client, there, names[-1])[0] == 201
        watching.wait_for(names)
    assert kube_rig.watch_gone(kube_namespace) == 1

    watching.thread.join(20)
    assert isinstance(watching.error, ApiException)
    assert watching.error.status == 410
    assert "too old resource version" in str(watching.error.reason)

    again = Watching(through, kube_namespace, before)
    again.thread.join(20)
    assert isinstance(again.error, ApiException)
    assert again.error.status == 410

    fresh = Watching(through, kube_namespace, version_of(kube_rig, there))
    assert put(kube_rig.client, there, "three")[0] == 201
    fresh.wait_for(["three"])
    assert kube_rig.gate.watches(kube_namespace) == 1
    assert put(through, there, "four")[0] == 201


def test_a_watch_is_cut_without_a_word(kube_rig: KubeRig, kube_namespace: str, through: ApiClient, there: str) -> None:
    watching = Watching(through, kube_namespace, version_of(kube_rig, there))
    assert put(kube_rig.client, there, "one")[0] == 201
    watching.wait_for(["one"])
    assert kube_rig.gate.cut_watches(kube_namespace) == 1
    watching.thread.join(20)
    assert isinstance(watching.error, ProtocolError)


def test_it_is_as_far_away_as_the_server(kube_rig: KubeRig, kube_namespace: str, through: ApiClient) -> None:
    """When the API server is gone, so is what the gate held open; then it serves again by itself."""
    there = f"/api/v1/namespaces/{kube_namespace}/configmaps"
    watching = Watching(through, kube_namespace, version_of(kube_rig, there))
    assert put(kube_rig.client, there, "one")[0] == 201
    watching.wait_for(["one"])
    with kube_rig.apiserver_away():
        watching.thread.join(20)
        assert isinstance(watching.error, ProtocolError)
        with pytest.raises((HTTPError, ApiException)):
            put(through, there, "two")
    assert put(through, there, "two")[0] == 201
    assert asking.done(through, "GET", f"{there}/one")["metadata"]["name"] == "one"
