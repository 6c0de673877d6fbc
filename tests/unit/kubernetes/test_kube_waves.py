"""The order of what moves no traffic: what others need comes first, and a run that was overtaken stops in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import Conflict
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.manifest import Manifest, Rendered, rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.writing_rolling import RollingWriting
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import LABELS, deployment, found, record, revision
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

STAMP = "shipper.dev/stamp"
BEFORE = ("ConfigMap", "Secret", "ServiceAccount", "Namespace", "CustomResourceDefinition", "PriorityClass")
AFTER = ("StatefulSet", "DaemonSet", "CronJob", "Service")


def whole_of(*kinds: str) -> Rendered:
    """One object of each kind, all called like it, after the Deployment "web"."""
    named = [("Deployment", "web"), *[(kind, kind.lower()) for kind in kinds]]
    bodies: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shops", "labels": LABELS}}
        for kind, name in named
    ]
    manifests = [Manifest({**one, "spec": {"of": "now"}}) for one in bodies]
    return rendered(manifests, manifests[0].key)


def stamped(epoch: int) -> dict[str, Any]:
    return deployment(1, name="web", annotations={STAMP: stamp_text(Stamp(epoch=epoch), [])})


def writing_to(server: Any, monkeypatch: pytest.MonkeyPatch) -> RollingWriting:
    mine, place = own(manifests=["a.yaml"]), settings_of()
    reading = Reading(server, place, mine, "rolling")
    monkeypatch.setattr(reading.records, "write", lambda *_: server._wrote("create", "Secret/record", None))
    manifests = Manifests(reading.records, mine, Source(mine, Path("/nonexistent"), None))
    return RollingWriting(server, reading, Fence(server, reading, place, mine), manifests, place, mine)


def harmless(server: Server, monkeypatch: pytest.MonkeyPatch, state: Found, *kinds: str) -> None:
    writing_to(server, monkeypatch).harmless(release_of(), whole_of(*kinds), state)


def settle(server: Server, monkeypatch: pytest.MonkeyPatch, state: Found, *kinds: str) -> None:
    """What was put back."""
    whole = whole_of(*kinds)
    writing_to(server, monkeypatch).settle(state, whole, [None], last=whole, every=True)


@pytest.mark.parametrize("write", [harmless, settle])
def test_what_pods_need_is_there_before_any_of_them(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = stamped(5)
    server = Server(live)
    write(server, monkeypatch, found(deployments=[live]), *AFTER, *BEFORE)
    order = [what.partition("/")[0] for _, what, _ in server.writes if what != "Secret/record"]
    assert sorted(order[: len(BEFORE)]) == sorted(BEFORE)
    assert sorted(order[len(BEFORE) :]) == sorted(AFTER)


@pytest.mark.parametrize("write", [harmless, settle])
def test_a_run_that_is_overtaken_in_between_writes_no_more(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    live = stamped(5)
    server = Server(live)

    def overtake(what: str) -> None:
        server.objects["Deployment/web"] = stamped(6)

    server.after = overtake
    with pytest.raises(Conflict, match="epoch 5 was overtaken by epoch 6"):
        write(server, monkeypatch, found(deployments=[live]), "ConfigMap", "StatefulSet")
    assert not server.sent("StatefulSet/statefulset")


def test_what_carried_the_stamp_and_is_gone_or_another_one_is_no_longer_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    live = stamped(5)
    another = stamped(5)
    another["metadata"]["uid"] = "another"
    for server in (Server(), Server(another)):
        with pytest.raises(Conflict, match="Deployment web was removed meanwhile"):
            harmless(server, monkeypatch, found(deployments=[live]), "StatefulSet")


def test_a_status_or_a_count_of_somebody_else_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    live, now = stamped(5), stamped(5)
    now["spec"]["replicas"], now["status"] = 40, {}
    server = Server(now)
    harmless(server, monkeypatch, found(deployments=[live]), "StatefulSet")
    assert server.sent("StatefulSet/statefulset")


def test_a_first_release_has_nothing_that_could_be_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    harmless(server, monkeypatch, found(), "StatefulSet")
    assert server.sent("StatefulSet/statefulset")


def test_what_was_applied_last_is_that_of_the_highest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, shop-10 comes before shop-9; and a worker of own manifests has no number."""
    there = [deployment(10, name=revision(10)), deployment(9, name=revision(9)), deployment(0, name="worker")]
    there[2]["metadata"]["annotations"] = {}
    state = found(shape="weighted", deployments=there, records=[record(9), record(10)])
    writing = writing_to(Server(), monkeypatch)
    asked: list[int] = []
    monkeypatch.setattr(writing.manifests, "applied", lambda one: asked.append(one.number))
    writing.before(state)
    assert asked == [10]
