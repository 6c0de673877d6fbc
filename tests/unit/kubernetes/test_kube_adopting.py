"""What was in a Deployment before shipper: kept as it was last, put back whole, and there again after a removal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import HalfDone, Invalid
from shipper_targets.kubernetes.adopting import given_back, is_of, keep_snapshot, put_back, snapshot
from shipper_targets.kubernetes.carriers import Fence
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.manifest import Manifest, rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.observing import in_flight
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.removing import Removing
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.writing_rolling import RollingWriting
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import LABELS, deployment, found, record, service
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit

SECRET = "Secret/shipper-shop-adopted"


def somebodys(image: str, replicas: int, uid: str = "uid of web") -> dict[str, Any]:
    """As kubectl applied it."""
    spec = {"replicas": replicas, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}
    return {"kind": "Deployment", "metadata": {"name": "web", "uid": uid, "labels": {"app": "web"}}, "spec": spec}


def writing_to(server: Any, state: Found, **settings: Any) -> RollingWriting:
    """Where no record can be read."""
    mine, place = own(manifests=["a.yaml"], **settings), settings_of()
    reading = Reading(server, place, mine, "rolling")
    reading.now = lambda **_: state  # type: ignore[method-assign]
    manifests = Manifests(reading.records, mine, Source(mine, Path("/nonexistent"), None))
    return RollingWriting(server, reading, Fence(server, reading, place, mine), manifests, place, mine)


def kept(server: Any) -> dict[str, Any]:
    found = snapshot(server, "shop")
    assert found is not None
    return dict(found)


# What is kept


def test_what_somebody_changed_after_it_was_put_back_is_kept_anew() -> None:
    server: Any = Server()
    keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS, anew=True)
    keep_snapshot(server, "shop", somebodys("web:v5", 10), LABELS, anew=True)
    assert kept(server)["spec"] == somebodys("web:v5", 10)["spec"]
    written = len(server.writes)
    keep_snapshot(server, "shop", somebodys("web:v5", 10), LABELS, anew=True)
    assert len(server.writes) == written, "it is the same"


def test_what_bears_a_mark_of_ours_is_not_what_was_there_before() -> None:
    server: Any = Server()
    keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS)
    keep_snapshot(server, "shop", somebodys("ours", 3), LABELS)
    assert kept(server)["spec"] == somebodys("web:v1", 2)["spec"]


def test_a_secret_of_somebody_else_stays_and_nothing_is_taken_over_without_a_way_back() -> None:
    theirs = {"kind": "Secret", "metadata": {"name": "shipper-shop-adopted", "uid": "theirs"}, "type": "Opaque"}
    server: Any = Server(theirs)
    with pytest.raises(Invalid, match="Secret shipper-shop-adopted is there, and shipper did not make it"):
        keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS, anew=True)
    assert server.writes == []


def test_the_second_first_release_that_fails_is_put_back_to_what_was_there_then() -> None:
    server: Any = Server()
    for image in ("web:v1", "web:v5"):
        keep_snapshot(server, "shop", somebodys(image, 10), LABELS, anew=True)
    live = deployment(7, name="web", updated=1, total=11, available=10, reason="ReplicaSetUpdated")
    before = {
        "kind": "ReplicaSet",
        "metadata": {"name": "web-5", "uid": "5", "ownerReferences": [{"uid": "uid of web", "controller": True}]},
        "spec": {"template": somebodys("web:v5", 10)["spec"]["template"]},
        "status": {"availableReplicas": 10},
    }
    server.objects["Deployment/web"] = live
    state = found(deployments=[live], sets=[before], records=[record(7, "web")])
    writing_to(server, state).abort(in_flight(state) or "", Stamp(), state.seen)
    (operations,) = server.sent("Deployment/web")
    assert spec_in(operations)["template"] == somebodys("web:v5", 10)["spec"]["template"]


def spec_in(operations: list[dict[str, Any]]) -> Any:
    return next(one["value"] for one in operations if one["path"] == "/spec")


@pytest.mark.parametrize(
    ("then", "now", "wanted"),
    [(10, 2, 10), (2, 12, 12), (0, 2, 0)],
    ids=["the release had fewer", "an autoscaler has made more since", "it was stopped"],
)
def test_what_is_put_back_has_no_fewer_pods_than_there_are(then: int, now: int, wanted: int) -> None:
    server: Any = Server(deployment(1, name="web", replicas=now))
    put_back(server, somebodys("web:v1", then) | {"labels": {}, "annotations": {}}, somebodys("ours", now), "1")
    (operations,) = server.sent("Deployment/web")
    assert spec_in(operations)["replicas"] == wanted


def test_another_deployment_of_the_name_is_not_what_was_kept() -> None:
    server: Any = Server()
    keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS, anew=True)
    assert is_of(kept(server), deployment(1, name="web"))
    assert not is_of(kept(server), somebodys("web:v1", 2, uid="another"))
    assert is_of({"name": "web"}, deployment(1, name="web")), "of an older shipper"


# What removal would give back


def test_what_was_replaced_in_place_is_known_to_be_given_back() -> None:
    server: Any = Server()
    keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS, anew=True)
    assert given_back(server, found(deployments=[deployment(1, name="web")])) == "Deployment web"
    assert given_back(server, found(deployments=[deployment(1, name="another")])) == "", "it was deleted since"
    nothing: Any = Server()
    assert given_back(nothing, found(deployments=[deployment(1, name="web")])) == ""


@pytest.mark.parametrize("runs", [True, False])
def test_what_the_service_asked_is_given_back_while_it_is_there(runs: bool) -> None:
    noted = service("shop", **{"shipper.dev/adopted": json.dumps({"name": "web", "selector": {"app": "web"}})})
    server: Any = Server(noted)
    there = [somebodys("web:v1", 2)] if runs else []
    assert given_back(server, found(service=noted, foreign=there)) == ("Deployment web" if runs else "")


# Removal


def removed(server: Any, state: Found) -> None:
    Removing(writing_to(server, state, adopt=True)).remove(Stamp(epoch=1), state.seen)


@pytest.mark.parametrize("service_too", [False, True])
def test_what_was_adopted_in_place_is_put_back_and_not_deleted(service_too: bool) -> None:
    live, worker = deployment(1, name="web"), deployment(0, name="worker")
    live["metadata"]["annotations"]["shipper.dev/stamp"] = stamp_text(Stamp(epoch=1), [])
    asks = service("web")
    server: Any = Server(live, worker, *([asks] if service_too else []))
    keep_snapshot(server, "shop", somebodys("web:v1", 2), LABELS, anew=True)
    server.writes.clear()
    state = found(deployments=[live, worker], service=asks if service_too else None)
    removed(server, state)
    whole = [(verb, what) for verb, what, _ in server.writes]
    assert ("delete", "Deployment/web") not in whole
    assert ("delete", "Deployment/worker") in whole
    assert ("delete", "Service/shop") in whole or not service_too
    assert whole.index(("patch", "Deployment/web")) < whole.index(("delete", SECRET)), "killed in between, it is kept"
    patched = [body for verb, what, body in server.writes if (verb, what) == ("patch", "Deployment/web")]
    assert spec_in(patched[-1])["template"] == somebodys("web:v1", 2)["spec"]["template"]


def test_a_deployment_that_shipper_made_is_deleted() -> None:
    live = deployment(1, name="web")
    server: Any = Server(live)
    removed(server, found(deployments=[live]))
    assert ("delete", "Deployment/web", None) in server.writes


class Holding(Server):
    """What has a finalizer is only marked when it is deleted."""

    def delete(self, kind: Kind, name: str, **more: Any) -> None:
        there = self.objects.get(f"{kind.kind}/{name}")
        super().delete(kind, name, **more)
        if there is not None and there["metadata"].get("finalizers"):
            self.objects[f"{kind.kind}/{name}"] = there


@pytest.mark.parametrize("carries", [True, False], ids=["it carries the stamp", "it does not"])
def test_while_a_finalizer_keeps_a_deployment_its_records_stay(carries: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shipper_targets.kubernetes.removing.LET_GO_WITHIN", 0.0)
    live = deployment(1, name="shop" if carries else "shop-1-900001")
    live["metadata"]["finalizers"] = ["example.com/hang"]
    kept = {"kind": "Secret", "metadata": {"name": "shipper-shop-1-900001", "labels": LABELS, "uid": "record"}}
    server: Any = Holding(live, kept, service("shop"))
    state = found(shape="rolling" if carries else "weighted", deployments=[live], service=service("shop"))
    with pytest.raises(HalfDone, match=r"Deployment shop.* is deleted and still there.*finalizer example.com/hang"):
        removed(server, state)
    assert "Secret/shipper-shop-1-900001" in server.objects

    live["metadata"]["finalizers"].clear()
    removed(server, state)
    assert list(server.objects) == []


OURS = Manifest(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "shops", "labels": LABELS},
        "spec": {"selector": {"app": "web"}},
    }
)


def test_a_service_of_own_manifests_that_was_there_is_marked_for_ever() -> None:
    there = {"kind": "Service", "metadata": {"name": "shop", "uid": "s"}, "spec": {"selector": {"app": "web"}}}
    state = found(deployments=[deployment(1, name="web")], service=there)
    asked = writing_to(Server(), state).as_asked(state, OURS)
    assert asked is not None
    assert asked.metadata["annotations"] == {"shipper.dev/taken-over": "true"}
    later = found(service={**asked.copied(), "metadata": {**asked.metadata, "uid": "s"}})
    again = writing_to(Server(), later).as_asked(later, OURS)
    assert again is not None
    assert again.metadata["annotations"] == {"shipper.dev/taken-over": "true"}
    made = writing_to(Server(), found()).as_asked(found(), OURS)
    assert made is not None
    assert not made.metadata.get("annotations")


def test_a_service_that_was_stamped_and_not_taken_over_yet_stays() -> None:
    """A run began with it, and came no further; or it was given back, and this is done again."""
    notes = {"shipper.dev/stamp": stamp_text(Stamp(), [])}
    metadata = {"name": "shop", "uid": "s", "labels": {"app": "web"}, "annotations": notes}
    there = {"kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "web"}}}
    server: Any = Server(there)
    removed(server, found(service=there))
    assert [verb for verb, _, _ in server.writes] == ["merge", "merge"]
    assert server.writes[-1][2] == {"metadata": {"labels": {}, "annotations": {"shipper.dev/stamp": None}}}


@pytest.mark.parametrize("alone", [False, True], ids=["beside a Deployment", "killed after that was gone"])
def test_a_service_that_was_taken_over_stays_without_a_mark_of_ours(alone: bool) -> None:
    notes = {"shipper.dev/taken-over": "true", "shipper.dev/stamp": stamp_text(Stamp(), []), "example.com/a": "b"}
    taken = service("web", **notes)
    there = [] if alone else [deployment(1, name="web")]
    server: Any = Server(taken, *there)
    removed(server, found(deployments=there, service=taken))
    whole = [(verb, what) for verb, what, _ in server.writes]
    assert ("delete", "Service/shop") not in whole
    (last,) = [body for body in server.sent("Service/shop") if "labels" in body["metadata"]]
    assert json.dumps(last).count("null") == len(LABELS) + 2
    assert "example.com/a" not in last["metadata"]["annotations"]
    assert "spec" not in last


# Own manifests that were there, of any kind


def theirs(kind: str, name: str, *, taken: bool, **more: Any) -> dict[str, Any]:
    """As a release left it, with the labels that its manifest did not say."""
    ours = {"app.kubernetes.io/managed-by": "shipper", "app.kubernetes.io/name": "shop", "app": "web"}
    notes = {"shipper.dev/taken-over": "true"} if taken else {}
    metadata = {"name": name, "uid": name, "labels": {**LABELS, **ours}, "annotations": notes, **more}
    versions = {"CronJob": "batch/v1", "Ingress": "networking.k8s.io/v1"}
    return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata}


class Merging(Server):
    """Labels and annotations that were taken off are gone."""

    def merge(self, kind: Kind, name: str, patch: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        there = self.objects[f"{kind.kind}/{name}"]["metadata"]
        for member in ("labels", "annotations"):
            merged = {**there.get(member, {}), **patch["metadata"].get(member, {})}
            there[member] = {key: value for key, value in merged.items() if value is not None}
        return super().merge(kind, name, patch, **more)


class Noted:
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def removed_with(server: Any, applied: list[dict[str, Any]]) -> list[str]:
    live = deployment(1, name="web")
    server.objects["Deployment/web"] = live
    whole = rendered([Manifest(one) for one in (live, *applied)], Manifest(live).key)
    state = found(deployments=[live], records=[record(1, "web")])
    writing: Any = writing_to(server, state)
    writing.report = told = Noted()
    writing.reading.records.manifests = lambda _: whole
    Removing(writing).remove(Stamp(epoch=1), state.seen)
    return told.remarks


@pytest.mark.parametrize("kind", ["CronJob", "Ingress", "PersistentVolumeClaim", "Secret"])
def test_what_was_taken_over_is_told_and_has_no_mark_of_ours_whatever_its_kind(kind: str) -> None:
    one = theirs(kind, "nightly", taken=True)
    server: Any = Merging(one)
    (remark,) = removed_with(server, [one])
    assert remark.startswith(f"{kind} nightly was there before shipper, and stays")
    assert ("delete", f"{kind}/nightly", None) not in server.writes
    (sent,) = server.sent(f"{kind}/nightly")
    gone = {"shipper.dev/service", "shipper.dev/environment", "shipper.dev/instance", "app.kubernetes.io/managed-by"}
    assert sent["metadata"]["labels"] == dict.fromkeys(gone)
    assert sent["metadata"]["annotations"] == {"shipper.dev/taken-over": None}


@pytest.mark.parametrize(("managers", "goes"), [(["shipper"], True), (["kubectl", "shipper"], False)])
def test_a_name_that_nobody_else_said_is_ours_to_take_off(managers: list[str], goes: bool) -> None:
    said: dict[str, Any] = {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}}}
    fields = [{"manager": one, "fieldsV1": said} for one in managers]
    one = theirs("CronJob", "nightly", taken=True, managedFields=fields)
    server: Any = Merging(one)
    removed_with(server, [one])
    (sent,) = server.sent("CronJob/nightly")
    assert ("app.kubernetes.io/name" in sent["metadata"]["labels"]) == goes


def test_what_has_data_stays_and_is_told_and_the_rest_of_the_set_goes() -> None:
    claim, nightly = (theirs(kind, "x", taken=False) for kind in ("PersistentVolumeClaim", "CronJob"))
    server: Any = Merging(claim, nightly)
    remarks = removed_with(server, [claim, nightly])
    assert remarks == ["PersistentVolumeClaim x stays, for what is in it: a person removes it"]
    assert "PersistentVolumeClaim/x" in server.objects
    assert "CronJob/x" not in server.objects
