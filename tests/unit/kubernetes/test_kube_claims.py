"""What is said before a release of a claim that no pod gets a volume from."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.claims import remark_on_claims
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.render import render
from tests.unit.kubernetes.kube_api import Json, Server
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

SINCE = "2026-11-21T10:00:00Z"
ENDING = ": pods wait for it, and the release fails unless it is bound by then"


def claim(phase: str = "Pending", *, of: str | None = None) -> Json:
    spec = {} if of is None else {"storageClassName": of}
    metadata = {"name": "weights", "creationTimestamp": SINCE}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": {"phase": phase}}


def storage(name: str, mode: str = "Immediate", *, default: bool = False) -> Json:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "volumeBindingMode": mode,
    }


def remarks(server: Server) -> list[str]:
    told: list[str] = []
    volumes = [{"source": "pvc:weights/v1", "target": "/a"}, {"source": "pvc:weights/v2", "target": "/b"}]
    whole = render(release_of(settings_of(run={"volumes": volumes})), own(), "rolling")
    remark_on_claims(cast("Api", server), whole, told.append)
    return told


FAST, LATE = storage("fast"), storage("late", "WaitForFirstConsumer")


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ([claim(of="")], "without a storage class: somebody has to make a volume for it"),
        ([claim(of="gone"), FAST], "there is no StorageClass gone"),
        ([claim(), FAST], "it names no storage class, and none is the default"),
        ([claim(of="fast"), FAST], "and storage class fast has made no volume for it yet (kubectl describe pvc)"),
        ([claim(), storage("fast", default=True)], "and storage class fast has made no volume for it yet"),
    ],
)
def test_a_claim_that_does_not_wait_for_a_pod_is_told_once(there: list[Json], words: str) -> None:
    (told,) = remarks(Server(*there))

    assert told.startswith(f"claim weights is Pending since {SINCE}")
    assert words in told
    assert told.endswith(ENDING)


def test_a_claim_whose_volume_is_gone_is_told() -> None:
    assert remarks(Server(claim("Lost"))) == [f"claim weights is Lost, its volume is gone{ENDING}"]


@pytest.mark.parametrize(
    "there",
    [
        [claim("Bound", of="gone")],
        [claim(of="late"), LATE],
        [claim(), FAST, storage("late", "WaitForFirstConsumer", default=True)],
        [],
    ],
    ids=["bound", "bound with its first pod", "the same by default", "not there: a problem of its own"],
)
def test_nothing_is_said_of_what_gets_its_volume(there: list[Json]) -> None:
    assert remarks(Server(*there)) == []


def test_who_may_not_look_hears_nothing_but_what_the_claim_itself_says() -> None:
    class NoClasses(Server):
        def list(self, kind: Kind, **_: str) -> Any:
            raise Denied("storageclasses is forbidden")

    class Closed(NoClasses):
        def find(self, kind: Kind, name: str, namespace: str | None = None) -> Any:
            raise Denied("persistentvolumeclaims is forbidden")

    assert remarks(NoClasses(claim(of="fast"))) == []
    assert len(remarks(NoClasses(claim(of="")))) == 1
    assert remarks(Closed(claim(of=""))) == []
