"""What the platform has of a Service, as an observation; and what of it is drift."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Stamp
from shipper.targets import Invalid, change_of
from shipper_targets.knative.cleaning import garbage_of, in_use, never_verified
from shipper_targets.knative.fields import fields_of, shown_in
from shipper_targets.knative.marks import stamp_text
from shipper_targets.knative.observing import ABSENT, Found, seen_of
from shipper_targets.knative.planning import plan_of
from shipper_targets.knative.scaling import MIN
from shipper_targets.knative.taking_over import told_together
from shipper_targets.knative.written import Written
from tests.unit.knative.knative_objects import manifest_of, own, release_of, revision, revision_of, serving, settings_of

pytestmark = pytest.mark.unit

NAME = "shop-7-wmrerd"


def found(service: dict[str, Any] | None, *revisions: dict[str, Any]) -> Found:
    """As it was read."""
    return Found("shop", own(), service, revisions)


def test_nothing_is_there() -> None:
    now = found(None).observation()
    assert (now.seen, now.serving, now.revisions, now.address) == (ABSENT, (), (), None)


def test_what_serves_is_a_release_of_ours() -> None:
    release = release_of()
    now = found(serving(release), revision_of(release)).observation()

    (one,) = now.serving
    assert (one.name, one.release, one.number, one.weight) == (NAME, release.id, 7, 100)
    assert now.stamp.verified == (7,)
    assert now.drift == ()
    assert now.address is not None
    assert now.address.url == "http://shop.shops.example.com"
    assert now.capacity_owner == "Knative"


def test_a_status_is_no_reason_to_decide_again_and_a_stamp_is() -> None:
    service = serving(release_of())
    before = seen_of(service)
    service["metadata"]["resourceVersion"] = "11"
    service["status"]["conditions"] = []
    assert seen_of(service) == before

    service["metadata"]["annotations"]["shipper.dev/stamp"] = stamp_text(Stamp(epoch=4))
    assert seen_of(service) != before


def test_what_was_before_shipper_is_number_zero() -> None:
    service = serving(release_of())
    service["metadata"]["annotations"] = {}
    service["status"]["traffic"] = [{"revisionName": "shop-00003", "percent": 100}]
    now = found(service, revision("shop-00003")).observation()
    (one,) = now.serving
    assert (one.number, one.release) == (0, None)
    assert now.drift == ()


@pytest.mark.parametrize(
    ("counts", "idle"), [({"actualReplicas": 0}, (NAME,)), ({"actualReplicas": 1}, ()), ({}, ())], ids=str
)
def test_a_revision_that_is_scaled_to_zero_runs_and_is_idle(counts: dict[str, int], idle: tuple[str, ...]) -> None:
    release = release_of()
    serves = revision_of(release)
    serves["status"] |= counts

    now = found(serving(release), serves).observation()

    assert [one.state for one in now.revisions] == ["running"]
    assert now.idle == idle


def test_one_that_lost_the_instances_it_should_have_is_stopped_and_not_idle() -> None:
    old = revision_of(release_of(settings_of(scale={"min": 1}), number=6))
    old["status"] |= {"actualReplicas": 0}
    now = found(serving(release_of()), old, revision_of(release_of())).observation()
    assert (now.revisions[0].state, now.idle) == ("stopped", ())


def test_an_idle_service_inside_cannot_be_asked() -> None:
    release = release_of()
    service = serving(release)
    service["status"]["url"] = "http://shop.shops.svc.cluster.local"
    awake, idle = revision_of(release), revision_of(release)
    awake["status"]["actualReplicas"] = 1

    now = found(service, awake).observation()

    assert now.address is not None
    assert now.address.reach == "internal"
    assert found(service, idle).observation().address is None


def test_a_name_that_leads_nowhere_from_here_comes_with_what_to_do() -> None:
    service = serving(release_of())
    service["status"]["url"] = "https://shop.example.com"
    address = found(service).observation().address
    assert address is not None
    assert "address = " in address.unreached
    assert 'reach = "internal"' in address.unreached


def test_an_unreadable_stamp_is_never_written_over() -> None:
    service = serving(release_of())
    service["metadata"]["annotations"]["shipper.dev/stamp"] = '{"epoch": "newer"}'
    with pytest.raises(Invalid, match="a newer shipper wrote it"):
        found(service).observation()


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"traffic": [{"revisionName": "shop-6-old", "percent": 100}]}, ["traffic"]),
        ({"traffic": [{"latestRevision": True, "percent": 100}]}, ["traffic"]),
        ({"traffic": [{"revisionName": NAME, "percent": 100, "tag": "demo"}]}, []),
    ],
    ids=["other traffic", "the newest", "somebody's tag"],
)
def test_traffic_by_hand_is_drift(change: dict[str, Any], fields: list[str]) -> None:
    release = release_of()
    now = found(serving(release, **change), revision_of(release)).observation()
    assert [one.field for one in now.drift] == fields


def test_visibility_by_hand_is_drift() -> None:
    release = release_of()
    service = serving(release)
    service["metadata"]["labels"]["networking.knative.dev/visibility"] = "cluster-local"
    (one,) = found(service, revision_of(release)).observation().drift
    assert (one.field, one.ours, one.found) == ("visibility", "public", "cluster-local")


def test_a_template_by_hand_is_told_field_by_field() -> None:
    release = release_of(settings_of(run={"env": {"MODE": "fast", "API_KEY": "x"}}))
    service = serving(release)
    template = service["spec"]["template"]
    template["metadata"]["name"] = "shop-by-hand"
    template["spec"]["containers"][0]["env"] = [{"name": "MODE", "value": "slow"}, {"name": "MORE", "value": "1"}]
    template["spec"]["timeoutSeconds"] = 300  # which the webhook fills in

    told = {one.field: (one.ours, one.found) for one in found(service, revision_of(release)).observation().drift}

    assert told == {
        "template.env.MODE": ("fast", "slow"),
        "template.env.MORE": ("(nothing)", "1"),
        "template.env.API_KEY": ("(not shown)", "(nothing)"),
        "template.name": (NAME, "shop-by-hand"),
    }


def test_credentials_in_a_template_are_not_shown() -> None:
    template: dict[str, Any] = {
        "metadata": {"annotations": {"example.com/api-token": "hunter2", "example.com/mode": "fast"}},
        "spec": {"containers": [{"readinessProbe": {"httpGet": {"httpHeaders": HEADERS}}}]},
    }
    fields = fields_of(template)
    shown = {path.rpartition("/")[2]: shown_in(fields, path) for path in fields}
    assert "hunter2" not in repr(shown)
    assert (shown["api-token"], shown["mode"]) == ("(not shown)", "fast")
    assert shown["template.container.readinessProbe.httpGet.httpHeaders.1.value"] == "b"


HEADERS = [{"name": "Authorization", "value": "Bearer hunter2"}, {"name": "X-A", "value": "b"}]


def test_a_template_by_hand_is_drift_before_knative_has_named_it() -> None:
    """Its status is current, and still names the revision before: its Configuration has not been looked at."""
    release = release_of()
    service = serving(release)
    service["spec"]["template"]["metadata"].pop("name")
    service["status"]["conditions"][2] |= {"status": "Unknown", "reason": "OutOfDate"}
    assert "template.name" in [one.field for one in found(service, revision_of(release)).observation().drift]


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"autoscaling.knative.dev/min-scale": "9"}, [("autoscaling.knative.dev/min-scale", "2", "9")]),
        ({"autoscaling.knative.dev/max-scale": "9"}, [("autoscaling.knative.dev/max-scale", "(nothing)", "9")]),
        ({"autoscaling.knative.dev/min-scale": None}, [("autoscaling.knative.dev/min-scale", "2", "(nothing)")]),
        ({"autoscaling.knative.dev/target": None}, [("autoscaling.knative.dev/target", "50", "(nothing)")]),
        ({"serving.knative.dev/routes": "shop", "example.com/x": "y"}, []),
    ],
    ids=["another", "one more", "one less", "one of the target's", "others"],
)
def test_scaling_of_what_serves_by_hand_is_drift(
    annotations: dict[str, str | None], told: list[tuple[str, ...]]
) -> None:
    """kubectl annotate revision: no new revision comes of it, and the autoscaler follows it."""
    release = release_of(settings_of(scale={"min": 2}), place={"autoscale": {"target": 50}})
    serves, beside = revision_of(release), revision_of(release_of(number=6))
    for one in (serves, beside):
        metadata = one["metadata"]
        metadata["annotations"] |= {} if one is beside else {"autoscaling.knative.dev/target": "50"}
        changed = {**metadata["annotations"], **annotations}
        metadata["annotations"] = {key: value for key, value in changed.items() if value is not None}

    service = serving(release)
    service["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/target"] = "50"

    drift = found(service, beside, serves).observation().drift

    assert [(one.field, one.ours, one.found) for one in drift] == [(f"{NAME}.{key}", *rest) for key, *rest in told]


def test_scaling_that_a_policy_of_the_cluster_has_changed_is_no_drift() -> None:
    """It was admitted so, in the template and in what it made: nobody could put it back."""
    release = release_of(settings_of(scale={"min": 2}))
    service, serves = serving(release), revision_of(release)
    for metadata in (service["spec"]["template"]["metadata"], serves["metadata"]):
        metadata["annotations"] |= {"autoscaling.knative.dev/min-scale": "1", "autoscaling.knative.dev/max-scale": "10"}

    assert found(service, serves).observation().drift == ()


@pytest.mark.parametrize(
    ("known", "told"), [(True, [("2", "9")]), (False, [])], ids=["noted", "nobody knows how it was admitted"]
)
def test_scaling_of_what_serves_is_known_while_the_template_is_another_ones(
    known: bool, told: list[tuple[str, str]]
) -> None:
    """After a release that failed, and after a rollback."""
    release, failed = release_of(settings_of(scale={"min": 2}), number=6), release_of()
    serves, service = revision_of(release), serving(release)
    noted = {"shop-6-wmrerd": {MIN: "2"}} if known else {}
    note = Written(traffic={"shop-6-wmrerd": 100}, newest=NAME, epoch=3, scaling=noted)
    service["metadata"]["annotations"]["shipper.dev/written"] = note.model_dump_json()
    service["spec"]["template"] = manifest_of(failed)["spec"]["template"]
    assert found(service, serves).observation().drift == ()

    serves["metadata"]["annotations"][MIN] = "9"

    drift = found(service, serves).observation().drift
    assert [(one.ours, one.found) for one in drift] == told
    assert all(one.field == f"shop-6-wmrerd.{MIN}" for one in drift)


def test_marks_that_are_gone_are_drift_where_releases_are_there() -> None:
    release = release_of()
    service = serving(release)
    service["metadata"]["annotations"] = {}
    (one,) = found(service, revision_of(release)).observation().drift
    assert one.field == "annotations"


def test_a_plan_says_that_traffic_goes_by_name_from_now_on() -> None:
    service = serving(release_of(), traffic=[{"latestRevision": True, "percent": 100}])
    service["metadata"]["annotations"] = {}
    service["status"]["traffic"] = [{"revisionName": "shop-00003", "percent": 100}]
    now = found(service, revision("shop-00003", {"spec": {"containers": [{"image": "shop:1"}]}}))

    plan = plan_of(release_of(number=1), now.observation(), now, own())

    line = next(one for one in plan.changes if one.subject == "latestRevision")
    assert (line.before, line.after) == ("latestRevision 100 %", "by name: shop-00003 100 %")
    assert any("from now on it is by name" in remark for remark in plan.remarks)


def test_a_plan_over_what_was_here_before_says_first_what_it_loses() -> None:
    there: dict[str, Any] = {
        "metadata": {"annotations": {MIN: "1", "team": "blue"}},
        "spec": {"containers": [{"image": "shop:1", "env": [*VARIABLES]}]},
    }
    service = serving(release_of(), traffic=[{"latestRevision": True, "percent": 100}])
    service["metadata"]["annotations"] = {}
    service["status"]["traffic"] = [{"revisionName": "shop-00003", "percent": 100}]
    now = found(service, revision("shop-00003", there))
    wanted = settings_of(run={"env": {"MODE": "b", "NEW": "1", "API_KEY": "x"}}, scale={"min": 2})

    changes = plan_of(release_of(wanted, number=1), now.observation(), now, own()).changes

    assert [f"{one.action} {one.subject}" for one in changes[2:9]] == [
        "remove template.annotations.team",
        "remove template.env.FOO",
        f"change template.annotations.{MIN}",
        "change template.env.MODE",
        "change latestRevision",
        "create template.env.API_KEY",
        "create template.env.NEW",
    ]
    assert changes[-1].subject == "traffic"
    assert len(changes) < 22
    told = {one.subject: one.after for one in changes}
    assert told["template.env.API_KEY"] == "(not shown)"
    assert told["template.container.securityContext"].startswith("allowPrivilegeEscalation false, capabilities.drop.0")
    assert "runAsNonRoot true" in told["template.container.securityContext"]
    assert "shipper.dev/service shop" in told["template.labels"]
    assert told["template.automountServiceAccountToken"] == "false"


VARIABLES = ({"name": "FOO", "value": "bar"}, {"name": "MODE", "value": "a"})


def test_no_addition_is_left_out_of_a_plan_over_what_was_here_before() -> None:
    wanted = fields_of(manifest_of(release_of())["spec"]["template"])
    added = [change_of(path, "", value) for path, value in wanted.items()]
    told = "\n".join(f"{one.subject} {one.after}" for one in told_together(added))
    for path, value in wanted.items():
        assert f"{path.rpartition('.')[2]} {value}" in told


def test_the_same_again_changes_nothing() -> None:
    release = release_of()
    now = found(serving(release), revision_of(release))
    assert plan_of(release, now.observation(), now, own()).empty


def test_a_plan_names_the_fields_and_hides_what_looks_secret() -> None:
    before = release_of(settings_of(run={"env": {"MODE": "a", "TOKEN": "x"}}))
    after = release_of(settings_of(run={"env": {"MODE": "b", "TOKEN": "y"}}), number=8)
    now = found(serving(before), revision_of(before))
    told = {one.subject: (one.before, one.after) for one in plan_of(after, now.observation(), now, own()).changes}
    assert told["template.env.MODE"] == ("a", "b")
    assert told["template.env.TOKEN"] == ("(not shown)", "(not shown)")
    assert told["traffic"] == (NAME, "shop-…")


def test_only_what_nothing_needs_is_garbage() -> None:
    serves, kept, old = release_of(number=7), release_of(number=6), release_of(number=5)
    now = found(serving(serves), *(revision_of(one) for one in (old, kept, serves)))
    assert [one.name for one in garbage_of(now, [6])] == ["shop-5-wmrerd"]
    assert in_use(now) == {NAME}


def test_a_service_of_first_attempts_may_go_whole_and_others_not() -> None:
    release = release_of()
    service = serving(release)
    service["metadata"]["annotations"]["shipper.dev/stamp"] = stamp_text(Stamp(epoch=3, highest=7))
    assert never_verified(found(service, revision_of(release)))
    assert not never_verified(found(service, revision_of(release), revision("shop-00001")))

    service["metadata"]["annotations"]["shipper.dev/adopted"] = ""
    assert not never_verified(found(service, revision_of(release)))
