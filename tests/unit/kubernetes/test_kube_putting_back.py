"""What the one Deployment is put back to: what can answer first, and never nothing where something else ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import Invalid
from shipper_targets.kubernetes.putting_back import PUT_BACK, undone, way_back
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.stamps import stamp_text
from shipper_targets.kubernetes.values import at, name_of
from tests.unit.kubernetes.kube_found import deployment, found, marks, record, replica_set, service

pytestmark = pytest.mark.unit


def rolling(number: int, *, verified: tuple[int, ...] = (3, 5), put_back: bool = False) -> dict[str, Any]:
    """A Deployment whose rollout of `number` is under way."""
    told = {"shipper.dev/stamp": stamp_text(Stamp(epoch=5, highest=7, verified=verified), [])}
    if put_back:
        told[PUT_BACK] = marks(number)["shipper.dev/release"]
    return deployment(number, updated=1, total=4, available=3, reason="ReplicaSetUpdated", annotations=told)


def back_to(
    there: dict[str, Any], available: dict[int, int], records: Sequence[int], *, unreadable: Sequence[int] = ()
) -> str:
    """`available`: release to pods of its ReplicaSet that can answer."""
    sets = [replica_set(number, pods) for number, pods in available.items()]
    state = found(deployments=[there], sets=sets, records=[record(one) for one in records], service=service("shop"))
    back = way_back(state, there, lambda one: one.number not in unreadable)
    if back is None:
        return "nothing"
    return f"record {back.number}" if isinstance(back, Record) else f"pods of {name_of(back)}"


def test_what_served_is_put_back() -> None:
    assert back_to(rolling(6), {5: 3, 6: 0}, [3, 5, 6]) == "record 5"
    assert back_to(rolling(6), {5: 0, 6: 0}, [3, 5, 6]) == "record 5", "with recreate nothing can answer just then"


@pytest.mark.parametrize("ready", [0, 1], ids=["nothing of the failed one", "one pod of the failed one"])
@pytest.mark.parametrize("records", [[3, 5, 6], [5, 6]])
def test_what_is_being_put_back_is_put_back_again_and_nothing_else(ready: int, records: list[int]) -> None:
    assert back_to(rolling(5), {5: 2, 6: ready}, records) == "record 5"
    assert back_to(rolling(5, verified=(), put_back=True), {5: 2, 6: ready}, records) == "record 5"


def test_without_a_record_its_pods_are_put_back() -> None:
    assert back_to(rolling(6), {5: 3, 6: 0}, [6]) == "pods of shop-5"
    assert back_to(rolling(6), {5: 3, 6: 0}, [3, 5, 6], unreadable=[5]) == "pods of shop-5"
    assert back_to(rolling(6), {5: 0, 6: 0}, [3, 6]) == "pods of shop-5", "the one that was verified last"
    assert back_to(rolling(5), {5: 2, 6: 1}, [6]) == "pods of shop", "it is being put back to what it says"


def test_what_was_verified_comes_before_what_a_dead_run_has_left() -> None:
    assert back_to(rolling(7), {5: 1, 6: 2, 7: 0}, [3, 5, 6, 7]) == "record 5"
    assert back_to(rolling(7), {5: 0, 6: 2, 7: 0}, [3, 5, 6, 7]) == "record 6", "only that can answer"


def test_where_the_stamp_is_lost_the_records_say_what_was_here() -> None:
    assert back_to(rolling(6, verified=()), {5: 0, 6: 0}, [3, 5, 6]) == "record 5"


def test_nothing_is_deleted_where_something_else_ran() -> None:
    with pytest.raises(Invalid, match="nothing here can bring back what Deployment shop ran before"):
        back_to(rolling(6, verified=()), {5: 0, 6: 0}, [6])


def test_a_first_release_has_no_way_back() -> None:
    assert back_to(rolling(1, verified=()), {1: 0}, [1]) == "nothing"


def test_pods_come_back_as_kubectl_brings_them_back() -> None:
    there, old = rolling(6), replica_set(5, 3)
    old["spec"]["template"] = {
        "metadata": {"labels": {"app": "shop", "pod-template-hash": "abc"}},
        "spec": {"containers": [{"name": "app", "image": "five"}]},
    }
    there["spec"]["strategy"] = {"type": "Recreate"}
    body = undone(there, old, "the stamp").body
    assert at(body, "spec", "template") == {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "app", "image": "five"}]},
    }
    assert at(body, "spec", "strategy") == {"type": "Recreate"}
    assert "replicas" not in body["spec"], "the number of pods is not ours here"
    annotations = at(body, "metadata", "annotations")
    assert annotations == {**marks(5), PUT_BACK: marks(5)["shipper.dev/release"], "shipper.dev/stamp": "the stamp"}
    assert at(body, "metadata", "labels", "shipper.dev/number") == "5"
