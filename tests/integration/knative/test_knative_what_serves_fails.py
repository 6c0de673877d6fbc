"""What serves breaks, goes idle, or has to come back with its settings of then: the way forward and the way back."""

from __future__ import annotations

import pytest

from shipper.targets import Conflict, Invalid
from shipper_targets.knative.conditions import state_of
from shipper_targets.knative.content import content_of
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.values import name_of, number, objects, text
from tests.integration.knative.knative_place import NAME, KnativePlace, image_of, waited_for, weights

pytestmark = pytest.mark.integration


def breaks(place: KnativePlace, revision: str, image: str) -> None:
    """Every pod that starts from now on crashes, as when a password was changed; those that ran are gone."""
    place.rig.nodes.behave("crash", namespace=place.namespace, image=image_of(image).reference, lines=["no password"])
    for pod in place.api.list(POD, labels=f"serving.knative.dev/revision={revision}").items:
        place.api.delete(POD, name_of(pod))
    looks = 0

    def has_failed() -> bool:
        """Knative looks at the pods again when the revision changes: else in hours."""
        nonlocal looks
        looks += 1
        place.api.merge(REVISION, revision, {"metadata": {"annotations": {"example.com/look": str(looks)}}})
        return state_of(place.revision(revision)) == "failed"

    waited_for(has_failed, f"{revision} to fail")


def tags_of(place: KnativePlace) -> dict[str, str]:
    targets = objects(place.service(), "spec", "traffic")
    return {text(one, "tag"): text(one, "revisionName") for one in targets if text(one, "tag")}


def instances(place: KnativePlace, revision: str) -> int:
    return number(place.revision(revision), "status", "actualReplicas")


def test_the_fix_of_what_serves_and_crashes_goes_out(place: KnativePlace) -> None:
    broken = place.goes_out(place.release("broken"))
    breaks(place, broken.name, "broken")

    fix = place.goes_out(place.release("fix"))

    now = place.target().observe()
    assert weights(now) == {fix.name: 100}
    assert now.unsettled is None


def test_a_canary_over_what_crashes_is_refused_before_anything_moves(place: KnativePlace) -> None:
    broken = place.goes_out(place.release("broken"))
    breaks(place, broken.name, "broken")
    fix = place.creates(place.release("fix"))
    assert place.follows(fix).state == "ready"

    target = place.target()
    with pytest.raises(Invalid, match="cannot share traffic"):
        target.shift({broken.name: 90, fix.name: 10}, place.stamp(), target.observe().seen)
    assert {one["revisionName"]: one["percent"] for one in objects(place.service(), "spec", "traffic")} == {
        broken.name: 100,
        fix.name: 0,
    }


def test_a_dead_runs_first_attempt_does_not_hold_up_the_next_one(place: KnativePlace) -> None:
    place.rig.nodes.behave("missing", namespace=place.namespace, image=image_of("gone").reference)
    place.creates(place.release("gone"))  # and its run is killed

    good = place.goes_out(place.release())

    assert weights(place.target().observe()) == {good.name: 100}


def with_min(place: KnativePlace, least: int) -> None:
    place.sections = {"scale": {"min": least, "max": 4}}


def test_what_gives_way_keeps_its_instances_until_the_next_release(place: KnativePlace) -> None:
    with_min(place, 2)
    first = place.goes_out(place.release())
    second = place.creates(place.release("better"))
    assert place.follows(second).state == "ready"
    place.shifts(second, 1)
    assert tags_of(place) == {"n1": first.name}
    assert instances(place, first.name) == 2

    target = place.target()
    target.retire([first], "warm", place.stamp(1, 2), target.observe().seen)
    assert tags_of(place) == {"n1": first.name}
    place.until(lambda now: now.unsettled is None)
    assert instances(place, first.name) == 2

    place.creates(place.release("third"))
    waited_for(lambda: instances(place, first.name) == 0, "what is two releases old to be idle")


def test_one_that_is_idle_has_its_instances_before_it_has_the_traffic(place: KnativePlace) -> None:
    with_min(place, 2)
    release = place.release()
    first = place.goes_out(release)
    second = place.goes_out(place.release("better"))
    target = place.target()
    target.retire([first], "stopped", place.stamp(1, 2), target.observe().seen)
    waited_for(lambda: instances(place, first.name) == 0, "it to be idle")
    (idle,) = [one for one in place.target().observe().revisions if one.name == first.name]
    assert idle.state == "stopped"
    assert not place.target().restorable(release).warm

    again = place.creates(release)
    assert again.name == first.name
    assert place.follows(again).state == "ready"
    assert instances(place, first.name) == 2
    place.shifts(again)
    assert weights(place.target().observe()) == {first.name: 100}
    assert second.name not in tags_of(place).values()


@pytest.mark.parametrize("lost", ["the revision lives", "its revision is deleted"])
def test_what_is_made_again_has_the_settings_of_then(place: KnativePlace, lost: str) -> None:
    place.own["timeout"] = "60s"
    then = place.release()
    first = place.goes_out(then.model_copy(update={"content": place.target().content(place.settings)}))
    place.own |= {"timeout": "5s", "http2": True}
    place.goes_out(place.release("other"))
    back = place.release().model_copy(
        update={"rollback_to": 1, "content": place.target_of("60s").content(place.settings)}
    )
    if lost == "its revision is deleted":
        place.api.delete(REVISION, first.name)
        waited_for(lambda: place.api.find(REVISION, first.name) is None, "it to be gone")
        with pytest.raises(Invalid, match="are not here any more"):
            place.creates(back)
        return

    made = place.goes_out(back)

    spec = place.revision(made.name)["spec"]
    assert spec["timeoutSeconds"] == 60
    assert "name" not in spec["containers"][0]["ports"][0]
    recorded = next(one for one in place.target().records() if one.id == back.id)
    assert recorded.place is not None
    assert content_of(place.own_of(recorded.place.settings)) == back.content


@pytest.mark.parametrize("by", ["kn", "somebody who lost the stamp"])
def test_only_what_shipper_released_is_removed(place: KnativePlace, by: str) -> None:
    if by == "kn":
        container = {"image": image_of("theirs").reference}
        body = {"metadata": {"name": NAME}, "spec": {"template": {"spec": {"containers": [container]}}}}
        place.api.create(SERVICE, {"apiVersion": SERVICE.api_version, "kind": SERVICE.kind, **body})
        place.until(lambda now: bool(now.serving))
    else:
        place.goes_out(place.release())
        place.by_hand({"metadata": {"annotations": {"shipper.dev/stamp": None}}})
    target = place.target()
    seen = target.observe().seen

    if by == "kn":
        with pytest.raises(Invalid, match="was never released by shipper"):
            target.remove(place.stamp(), seen)
        assert place.service()["metadata"]["name"] == NAME
    else:
        target.remove(place.stamp(), seen)
        assert place.api.find(SERVICE, NAME) is None


def test_what_argo_owns_is_not_made_nor_removed_and_goes_back_with_a_remark(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    place.goes_out(place.release("better"))
    place.by_hand({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shops:x/y:ns/shop"}}})

    with pytest.raises(Invalid, match="managed by Argo CD"):
        place.creates(place.release("third"))
    target = place.target()
    with pytest.raises(Invalid, match="managed by Argo CD"):
        target.remove(place.stamp(), target.observe().seen)
    place.shifts(first)
    assert any("may take this back" in remark for remark in place.remarks)
    assert weights(place.target().observe()) == {first.name: 100}


def test_a_revision_that_got_traffic_since_is_not_collected(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    place.goes_out(place.release("better"))
    target = place.target()
    read = place.revision(first.name)
    place.by_hand({"spec": {"traffic": [{"revisionName": first.name, "percent": 100}]}})
    place.until(lambda now: weights(now) == {first.name: 100})
    waited_for(lambda: place.revision(first.name) != read, "Knative's labeler")

    with pytest.raises(Conflict):
        target._calls.delete_revision(read)
    assert place.api.find(REVISION, first.name) is not None
