"""What is not ours, or not ours alone, is not made and not deleted."""

from __future__ import annotations

import pytest

from shipper.model import ServiceSettings, Stamp
from shipper.targets import Conflict, Invalid
from shipper_targets.knative.cleaning import delete_revisions
from shipper_targets.knative.marks import stamp_text
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.observing import Found, seen_of
from shipper_targets.knative.reading import Reading
from shipper_targets.knative.traffic import targets
from shipper_targets.knative.writing import Writing
from tests.unit.knative.knative_calls import FakeCalls, serves
from tests.unit.knative.knative_objects import ID, own, release_of, revision, revision_of

pytestmark = pytest.mark.unit

STAMP = Stamp(epoch=9, highest=5)
OLD, NEW = release_of(number=4, release_id=ID[:-1] + "A"), release_of(number=5)
OLD_NAME, NEW_NAME = name_of_release("shop", OLD), name_of_release("shop", NEW)


class Remarks:
    """What is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def remark(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def remarks() -> Remarks:
    return Remarks()


def writing(calls: FakeCalls, remarks: Remarks | None = None) -> Writing:
    owner = ServiceSettings(service="shop", environment="production", root="/srv/shop")
    return Writing(calls, Reading(calls, own()), own(), owner, remarks, None)  # type: ignore[arg-type]


def by_hand() -> FakeCalls:
    """A Service that kn made."""
    calls = serves(OLD, revision("shop-00001"))
    assert calls.now is not None
    calls.now["metadata"] |= {"annotations": {}, "labels": {}}
    return calls


def argos() -> FakeCalls:
    calls = serves(NEW, revision_of(OLD), revision_of(NEW))
    assert calls.now is not None
    calls.now["metadata"]["labels"]["argocd.argoproj.io/instance"] = "shop"
    return calls


def test_a_service_that_was_never_ours_is_not_removed() -> None:
    calls = by_hand()
    with pytest.raises(Invalid, match="was never released by shipper"):
        writing(calls).remove(STAMP, seen_of(calls.now))
    assert (calls.deleted, calls.now is None) == ([], False)


@pytest.mark.parametrize("lost", ["stamp", "revisions"])
def test_ours_is_removed_whatever_was_lost_of_it(lost: str) -> None:
    calls = serves(OLD, revision_of(OLD))
    assert calls.now is not None
    if lost == "stamp":
        del calls.now["metadata"]["annotations"]["shipper.dev/stamp"]
    calls.there = {} if lost == "revisions" else calls.there
    writing(calls).remove(STAMP, seen_of(calls.now))
    assert calls.deleted == [("shop", "10")]


def test_what_a_gitops_tool_owns_is_neither_made_nor_removed() -> None:
    calls = argos()
    with pytest.raises(Invalid, match=r"managed by Argo CD \(shop\)"):
        writing(calls).create(release_of(number=6, release_id=ID[:-1] + "F"), STAMP, seen_of(calls.now))
    with pytest.raises(Invalid, match="managed by Argo CD"):
        writing(calls).remove(STAMP, seen_of(calls.now))
    with pytest.raises(Invalid, match="managed by Argo CD"):
        writing(calls).untag({OLD_NAME}, STAMP, seen_of(calls.now))
    assert (calls.patches, calls.deleted) == ([], [])


def test_its_traffic_goes_back_and_it_is_said_for_how_long() -> None:
    calls, remarks = argos(), Remarks()
    writing(calls, remarks).shift({OLD_NAME: 100}, STAMP, seen_of(calls.now))
    (told,) = remarks.texts
    assert "may take this back within minutes" in told


@pytest.mark.parametrize("verified", [(4, 5), ()], ids=["verified", "a first attempt"])
def test_its_revisions_stay_and_that_is_said(verified: tuple[int, ...], remarks: Remarks) -> None:
    calls = argos()
    assert calls.now is not None
    calls.now["metadata"]["annotations"]["shipper.dev/stamp"] = stamp_text(Stamp(epoch=3, verified=verified))
    calls.now["spec"]["traffic"] = [*targets({NEW_NAME: 100}, {"n4": OLD_NAME})]
    writing(calls, remarks).retire({OLD_NAME}, "removed", STAMP, seen_of(calls.now))
    assert (calls.deleted, sorted(calls.there)) == ([], [OLD_NAME, NEW_NAME])
    assert [one.get("tag") for one in calls.now["spec"]["traffic"]] == [None]
    (told,) = remarks.texts
    assert told.startswith(f"{OLD_NAME} not deleted: ")
    assert "managed by Argo CD" in told


def test_nothing_to_remove_is_nothing_to_say(remarks: Remarks) -> None:
    calls = argos()
    writing(calls, remarks).retire((), "removed", STAMP, seen_of(calls.now))
    assert (calls.deleted, remarks.texts) == ([], [])


def test_a_revision_is_deleted_as_it_was_read() -> None:
    """Traffic that somebody gives to it in between is written on it by Knative's labeler."""
    from shipper_targets.knative.calls import Calls

    asked: dict[str, str] = {}

    class Api:
        def delete(self, kind: object, name: str, *, uid: str, version: str) -> None:
            asked.update(name=name, uid=uid, version=version)
            raise Conflict("the object has been modified")

    read = {"metadata": {"name": OLD_NAME, "uid": "r-4", "resourceVersion": "77"}}
    with pytest.raises(Conflict):
        Calls(Api(), "shop").delete_revision(read)  # type: ignore[arg-type]
    assert asked == {"name": OLD_NAME, "uid": "r-4", "version": "77"}


def relabelled(calls: FakeCalls) -> Found:
    """What was read before Knative's labeler wrote on the revision."""
    found = Found("shop", own(), calls.service(), calls.revisions({}))
    calls.there[OLD_NAME]["metadata"]["resourceVersion"] = "78"
    return found


def test_that_its_tag_is_gone_is_no_reason_to_leave_it(remarks: Remarks) -> None:
    calls = serves(NEW, revision_of(OLD), revision_of(NEW))
    gone = delete_revisions(calls, relabelled(calls), [OLD_NAME], remarks)  # type: ignore[arg-type]
    assert (gone, calls.deleted, remarks.texts) == ([OLD_NAME], [(OLD_NAME, "78")], [])


def test_that_somebody_gave_it_traffic_is(remarks: Remarks) -> None:
    calls = serves(NEW, revision_of(OLD), revision_of(NEW))
    read = relabelled(calls)
    assert calls.now is not None
    calls.now["spec"]["traffic"] = targets({OLD_NAME: 100}, {})
    assert delete_revisions(calls, read, [OLD_NAME], remarks) == []  # type: ignore[arg-type]
    assert calls.deleted == []
    assert "stays for now" in remarks.texts[0]
