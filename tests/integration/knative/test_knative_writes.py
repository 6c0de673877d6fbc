"""What is written to a Knative Service: by name, as a whole, upon what was seen, and left alone otherwise."""

from __future__ import annotations

import pytest

from shipper.model import Stamp
from shipper.targets import Conflict, Invalid
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.kubernetes.values import condition, objects
from tests.integration.knative.knative_place import NAME, KnativePlace, image_of, weights

pytestmark = pytest.mark.integration


def test_a_first_release_serves_by_name(place: KnativePlace) -> None:
    revision = place.goes_out(place.release())

    now = place.target().observe()
    (target,) = objects(place.service(), "spec", "traffic")
    assert weights(now) == {revision.name: 100}
    assert target == {"revisionName": revision.name, "latestRevision": False, "percent": 100}
    assert now.drift == ()
    assert now.stamp.verified == (1,)
    assert place.revision(revision.name)["metadata"]["annotations"]["serving.knative.dev/no-gc"] == "true"


def test_a_second_release_has_no_traffic_until_it_is_shifted(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    second = place.creates(place.release("better"))
    assert place.follows(second).state == "ready"

    now = place.target().observe()
    tags = {one.get("tag"): one["revisionName"] for one in objects(place.service(), "spec", "traffic")}
    assert weights(now) == {first.name: 100}
    assert tags == {None: first.name, "n2": second.name}

    place.shifts(second)
    assert weights(place.target().observe()) == {second.name: 100}
    assert {one.get("tag") for one in objects(place.service(), "spec", "traffic")} == {None}


def test_the_same_release_again_is_the_same_revision_and_no_new_template(place: KnativePlace) -> None:
    release = place.release()
    place.goes_out(release)
    generation = place.service()["spec"]["template"]

    again = place.creates(release)

    assert place.follows(again).state == "ready"
    assert place.service()["spec"]["template"] == generation
    assert len(place.api.list(REVISION).items) == 1


def test_a_rollback_is_one_write_of_traffic(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    place.goes_out(place.release("better"))
    template = place.service()["spec"]["template"]

    place.shifts(first)

    assert weights(place.target().observe()) == {first.name: 100}
    assert place.service()["spec"]["template"] == template
    assert place.target().observe().drift == ()


def test_a_failed_revision_leaves_the_traffic_and_the_next_write_is_judged_by_its_routes(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    place.rig.nodes.behave("missing", namespace=place.namespace, image=image_of("gone").reference)
    failed = place.creates(place.release("gone"))
    assert place.follows(failed).state == "failed"
    assert weights(place.target().observe()) == {first.name: 100}
    now = place.target().observe()

    place.target().retire([failed], "warm", place.stamp(), now.seen)
    place.shifts(first)

    assert condition(place.service(), "Ready")["status"] != "True"
    assert condition(place.service(), "RoutesReady")["status"] == "True"
    third = place.goes_out(place.release("better"))
    assert weights(place.target().observe()) == {third.name: 100}


def test_who_follows_the_newest_is_moved_to_names_and_the_plan_says_so(place: KnativePlace) -> None:
    _by_hand(place)
    target = place.target()
    now = target.observe()
    (served,) = now.serving
    release = place.release()
    plan = target.plan(release, now)

    revision = place.creates(release)

    assert served.number == 0
    assert any("by name" in one for one in plan.remarks)
    lost, latest = plan.changes[2:4]
    assert (lost.action, lost.subject, latest.subject) == ("remove", "template.env.BY_HAND", "latestRevision")
    assert len(plan.changes) < 20
    assert next(one for one in plan.changes if one.subject == "latestRevision").after.startswith("by name")
    traffic = {one["revisionName"]: one["percent"] for one in objects(place.service(), "spec", "traffic")}
    assert traffic == {served.name: 100, revision.name: 0}
    assert place.follows(revision).state == "ready"
    assert weights(place.target().observe()) == {served.name: 100}


def test_what_was_in_a_template_before_is_not_in_a_release(place: KnativePlace) -> None:
    _by_hand(place, timeoutSeconds=77, serviceAccountName="default")
    revision = place.creates(place.release())
    spec = place.service()["spec"]["template"]["spec"]

    assert spec["timeoutSeconds"] == 300
    assert "serviceAccountName" not in spec
    assert "env" not in spec["containers"][0]
    assert place.follows(revision).state == "ready"


def test_traffic_by_hand_is_drift(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    second = place.goes_out(place.release("better"))
    half = [{"revisionName": one, "percent": 50} for one in (first.name, second.name)]
    place.by_hand({"spec": {"traffic": half}})

    now = place.until(lambda now: len(now.serving) == 2)

    assert [one.field for one in now.drift] == ["traffic"]
    assert now.drift[0].ours == f"{second.name} 100 %"


def test_a_template_by_hand_is_drift_field_by_field(place: KnativePlace) -> None:
    place.goes_out(place.release())
    container = {**objects(place.service(), "spec", "template", "spec", "containers")[0]}
    container["env"] = [{"name": "BY_HAND", "value": "yes"}]
    place.by_hand({"spec": {"template": {"metadata": {"name": None}, "spec": {"containers": [container]}}}})

    fields = {one.field for one in place.until(lambda now: bool(now.drift)).drift}

    assert fields == {"template.env.BY_HAND", "template.name"}


def test_an_older_view_is_refused_and_a_new_status_is_not_another_view(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    target = place.target()
    old = target.observe().seen
    second = target.create(place.release("better"), place.stamp(), old)
    seen = target.observe().seen
    place.follows(second)  # while the reconcilers write one status after the other
    with pytest.raises(Conflict, match="was seen"):
        place.target().shift({first.name: 100}, place.stamp(), old)

    place.target().shift({second.name: 100}, place.stamp(), seen)

    assert weights(place.target().observe()) == {second.name: 100}


def test_an_older_epoch_is_refused(place: KnativePlace) -> None:
    place.goes_out(place.release())
    target = place.target()
    target.write_stamp(Stamp(epoch=9), target.observe().seen)
    with pytest.raises(Conflict, match="overtaken by epoch 9"):
        target.write_stamp(Stamp(epoch=8), target.observe().seen)


def test_tags_and_annotations_of_others_stay(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    traffic = [{"revisionName": first.name, "percent": 100}, {"revisionName": first.name, "percent": 0, "tag": "demo"}]
    place.by_hand({"metadata": {"annotations": {"team": "blue"}}, "spec": {"traffic": traffic}})

    place.goes_out(place.release("better"))

    service = place.service()
    tags = {one["tag"]: one["revisionName"] for one in objects(service, "spec", "traffic") if "tag" in one}
    assert tags == {"demo": first.name}
    assert service["metadata"]["annotations"]["team"] == "blue"
    assert place.target().garbage([], []) == []


def test_visibility_comes_and_goes_with_the_traffic(place: KnativePlace) -> None:
    first = place.goes_out(place.release())
    place.own["visibility"] = "cluster-local"
    second = place.creates(place.release("inside"))
    place.follows(second)
    assert "networking.knative.dev/visibility" not in place.service()["metadata"]["labels"]

    place.shifts(second)
    inside = place.until(lambda now: now.address is not None and now.address.reach == "internal")
    place.shifts(first)
    outside = place.until(lambda now: now.address is not None and now.address.reach == "public")

    assert inside.address is not None
    assert inside.address.url.endswith(".svc.cluster.local")
    assert outside.drift == ()


def test_a_service_of_first_attempts_goes_whole_and_one_that_was_good_does_not(place: KnativePlace) -> None:
    place.creates(place.release())
    target = place.target()
    target.shift({}, place.stamp(), target.observe().seen)
    assert place.api.find(SERVICE, NAME) is None
    assert place.api.list(REVISION).items == ()

    place.goes_out(place.release())
    with pytest.raises(Invalid, match="cannot take all traffic away"):
        target.shift({}, place.stamp(2), target.observe().seen)


def test_clean_up_removes_what_need_not_come_back(place: KnativePlace) -> None:
    old = place.goes_out(place.release())
    kept = place.goes_out(place.release("two"))
    serves = place.goes_out(place.release("three"))
    target = place.target()
    garbage = target.garbage([2], [])

    gone = target.collect(garbage, place.stamp(2, 3), target.observe().seen)

    assert [one.name for one in gone] == [old.name]
    left = {one.name for one in place.target().observe().revisions}
    assert left == {kept.name, serves.name}


def _by_hand(place: KnativePlace, **spec: object) -> None:
    """A Service as `kn service create` makes it, which answers."""
    container = {"image": image_of("by-hand").reference, "env": [{"name": "BY_HAND", "value": "yes"}]}
    body = {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {"name": NAME},
        "spec": {"template": {"spec": {"containers": [container], **spec}}},
    }
    place.api.create(SERVICE, body)
    place.until(lambda now: bool(now.serving) and place.revision(now.serving[0].name) is not None)
    place.until(
        lambda now: now.serving[0].state == "running" and condition(place.service(), "Ready")["status"] == "True"
    )


def test_where_there_is_no_namespace_nobody_says_that_nothing_serves(place: KnativePlace) -> None:
    assert place.target().observe().serving == ()
    place.own["namespace"] = "nobody-made-this"
    with pytest.raises(Invalid, match="there is no namespace nobody-made-this"):
        place.target().observe()
