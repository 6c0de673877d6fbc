"""Failures, first attempts, clean-up, drift, #0, and removal."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import run_v2

from shipper.errors import Denied, Invalid, NotFound
from shipper.model import Restorable, TargetSpec
from tests.integration.cloudrun.conftest import Place, over_both
from tests.rig.google.handle import GoogleRig

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("how", "cause"), [("crash", "crashed"), ("missing", "image-missing"), ("denied", "image-denied")]
)
def test_what_can_never_heal_is_said_at_once(place: Place, how: str, cause: str) -> None:
    old = place.released(1)
    step = place.last_step(place.create(place.release(2, how)))
    assert step.state == "failed"
    assert step.dossier is not None
    assert step.dossier.cause == cause
    assert bool(step.dossier.log_tail) == (how == "crash")
    assert place.serves() == {old.name: 100}


def test_without_permission_for_the_log_there_is_its_address(place: Place) -> None:
    place.released(1)
    place.google.hands.deny(place.project, "logging.logEntries.list")
    dossier = place.target().diagnose(place.create(place.release(2, "crash")))
    step = place.last_step(next(one for one in place.target().revisions() if one.number == 2))
    assert step.dossier is not None
    assert step.dossier.log_tail == ()
    assert "console.cloud.google.com/logs" in step.dossier.hint
    assert "could not be read" in step.dossier.hint
    assert dossier.cause in ("not-ready", "crashed")


def test_the_newest_revision_stays_until_there_is_a_newer_one(place: Place) -> None:
    one = place.released(1)
    bad = place.create(place.release(2, "crash"))
    place.last_step(bad)
    place.retire(2)
    assert place.names() == [one.name, bad.name]
    assert not [each.tag for each in place.service().traffic if each.tag]
    three = place.released(3)
    place.retire(2)
    assert place.names() == [one.name, three.name]


def test_a_failed_first_attempt_goes_with_its_service(place: Place) -> None:
    bad = place.create(place.release(1, "crash"))
    assert place.last_step(bad).state == "failed"
    assert place.serves() == {}
    place.retire(1)
    assert place.target().observe().seen == "absent"


def test_after_a_failed_first_attempt_that_was_left_the_next_serves_at_once(place: Place) -> None:
    place.last_step(place.create(place.release(1, "crash")))
    two = place.created(place.release(2))
    assert place.serves() == {two.name: 100}


def test_a_first_attempt_on_its_way_counts_as_serving(place: Place) -> None:
    """Else nobody would take it back before it gets all of the traffic by itself."""
    slow = place.create(place.release(1, "slow"))
    now = place.target().observe()
    assert {one.name: one.weight for one in now.serving} == {slow.name: 100}
    place.shift({})
    assert place.target().observe().seen == "absent"


def test_putting_back_to_nothing_never_deletes_what_was_good(place: Place) -> None:
    one = place.released(1)
    with pytest.raises(Invalid, match="cannot take all traffic away"):
        place.shift({})
    place.settled()
    service = place.service()
    service.annotations.pop("shipper.dev/stamp")  # lost by hand: nobody can say any more that it was good
    place.google.state.update_service(service, ["annotations"])
    place.created(place.release(2))
    with pytest.raises(Invalid, match="cannot take all traffic away"):
        place.shift({})
    assert place.serves() == {one.name: 100}


@over_both
def test_removing_the_service_and_removing_it_again(place: Place) -> None:
    place.released(1)
    for _ in range(2):
        place.write(lambda target, now: target.remove(place.stamp(now), now.seen))
        assert place.target().observe().seen == "absent"
    assert place.target().records() == []
    with pytest.raises(NotFound):
        place.verified(1)


def test_clean_up_leaves_what_must_come_back(place: Place) -> None:
    revisions = [place.released(number) for number in range(1, 5)]
    target = place.target()
    found = target.garbage([3], ())
    assert [item.name for item in found] == [revisions[0].name, revisions[1].name]
    assert place.write(lambda target, now: target.collect(found, place.stamp(now), now.seen)) == tuple(found)
    assert place.names() == [revisions[2].name, revisions[3].name]
    assert place.target().garbage([3], ()) == []


def test_what_came_into_use_is_not_collected(place: Place) -> None:
    one, _, _ = (place.released(number) for number in range(1, 4))
    target = place.target()
    found = target.garbage([], ())
    place.shift({one.name: 100})
    gone = place.write(lambda target, now: target.collect(found, place.stamp(now), now.seen))
    assert one.name not in [item.name for item in gone]
    assert one.name in place.names()


@over_both
def test_records_are_whole(place: Place) -> None:
    place.released(1)
    release = place.release(2, run={"env": {"MODE": "fast"}})
    place.created(release)
    assert place.target().records()[-1] == release


def test_a_living_revision_is_warm_and_a_lost_one_needs_its_secrets(place: Place) -> None:
    release = place.release(1)
    place.created(release)
    assert place.target().restorable(release).warm
    lost = place.release(7, secrets={"TOKEN": f"projects/{place.project}/secrets/nothing/versions/1"})
    (problem,) = [text for text in place.target().restorable(lost).problems if "TOKEN" in text]
    assert "pass --secrets current" in problem


@pytest.mark.parametrize("verb", ["disable", "destroy"])
def test_a_ready_revision_whose_secret_is_gone_cannot_come_back(place: Place, verb: str) -> None:
    """Each of its instances reads the value when it starts."""
    rig = GoogleRig(place.google.url)
    rig.add_secret(place.project, "token", b"one")
    run: dict[str, Any] = {"secrets": {"TOKEN": "secret-manager:token"}, "secrets_as": "environment"}
    release = place.release(1, secrets=place.target().secret_versions(run["secrets"]), run=run)
    place.created(release)
    assert place.target().restorable(release) == Restorable(warm=True)
    rig.set_secret(place.project, "token", "1", verb)
    found = place.target().restorable(release)
    assert not found.warm
    assert "the value of TOKEN of then" in found.problems[0]


def test_drift_by_hand_is_told_and_taken_over_by_a_shift(place: Place) -> None:
    one, two = place.released(1), place.released(2)
    place.settled()
    service = place.service()
    service.template.revision = ""
    service.template.containers[0].env.append(run_v2.EnvVar(name="MODE", value="by hand"))
    service.ingress = run_v2.IngressTraffic(2)
    service.traffic = [run_v2.TrafficTarget(type_=1, percent=100)]
    place.google.state.update_service(service, ["template", "traffic", "ingress"])
    fields = [each.field for each in place.target().observe().drift]
    assert fields == ["traffic", "ingress", "template.containers.0.env.MODE", "template.revision"]
    place.epoch = 2  # a rollback is a run of its own
    place.shift({one.name: 100})
    now = place.target().observe()
    assert now.drift == ()
    assert place.serves() == {one.name: 100}
    assert two.name in place.names()


def test_what_served_before_shipper_is_number_zero_and_a_way_back(place: Place) -> None:
    foreign = run_v2.Service(template=run_v2.RevisionTemplate(containers=[_plain()]))
    parent, name = place.resource.rsplit("/services/", 1)
    place.google.state.create_service(parent, name, foreign)
    place.until(lambda: bool(place.service().traffic_statuses))
    (zero,) = place.target().observe().serving
    assert (zero.number, zero.release) == (0, None)
    with pytest.raises(Invalid, match="never released by shipper"):
        place.write(lambda target, now: target.remove(place.stamp(now), now.seen))
    new = place.created(place.release(1))
    assert place.serves() == {zero.name: 100}
    place.shift({new.name: 100})
    place.verified(1)
    now = place.target().observe()
    assert now.drift == ()
    assert [(one.name, one.number) for one in now.revisions] == [(zero.name, 0), (new.name, 1)]
    assert place.target().garbage([], ()) == []
    place.shift({zero.name: 100})
    assert place.serves() == {zero.name: 100}


def _plain() -> run_v2.Container:
    return run_v2.Container(image="docker.io/library/good", ports=[run_v2.ContainerPort(container_port=8080)])


# Before the build.


def problems(place: Place, **sections: Any) -> list[tuple[int, str, str]]:
    found = place.target(**sections).preflight(TargetSpec(settings=place.settings(**sections), target="run"))
    return [(problem.code, problem.key, problem.message) for problem in found]


@over_both
def test_each_missing_permission_is_named(place: Place) -> None:
    place.google.hands.deny(place.project, "run.services.update")
    place.google.hands.deny(place.project, "run.services.create")
    found = problems(place)
    assert [code for code, _, _ in found] == [32, 32]
    assert "run.services.create" in found[0][2]
    assert "run.services.update" in found[1][2]


def test_two_services_of_one_name_do_not_write_over_each_other(place: Place) -> None:
    """ "shop" in dev, and "shop-dev" in production."""
    place.released(1)
    other: dict[str, Any] = {"service": {"service": "shop-dev", "environment": "production", "root": "/srv"}}
    ((code, key, message),) = problems(place, **other)
    assert (code, key) == (2, "targets.service")
    assert "shop in dev" in message
    target = place.target(**other)
    now = target.observe()
    with pytest.raises(Invalid, match="shop in dev"):
        target.create(place.release(2, **other), place.stamp(now), now.seen)


def test_a_secret_that_is_not_there_is_named(place: Place) -> None:
    run = {"secrets": {"TOKEN": "secret-manager:nothing"}, "secrets_as": "environment"}
    ((code, key, message),) = problems(place, run=run)
    assert (code, key) == (2, "run.secrets.TOKEN")
    assert "nothing" in message


@over_both
def test_quota_is_the_platforms_own_opinion(place: Place) -> None:
    place.google.hands.set_gpu_quota(place.project, 0)
    ((code, _, message),) = problems(place, run={"gpu": 1})
    assert code == 2
    assert "quota" in message


@over_both
def test_nothing_listens_there(place: Place) -> None:
    place.own = {"endpoint": "http://127.0.0.1:9"}
    ((code, key, _),) = problems(place)
    assert (code, key) == (33, "targets.endpoint")


@over_both
def test_a_read_that_is_denied_says_what_is_missing(place: Place) -> None:
    place.google.hands.deny(place.project, "run.services.get")
    with pytest.raises(Denied, match=r"run\.services\.get"):
        place.target().observe()


@over_both
def test_what_may_not_be_deleted_stays_and_the_write_before_it_counts(place: Place) -> None:
    one, _, _ = (place.released(number) for number in range(1, 4))
    place.google.hands.deny(place.project, "run.revisions.delete")
    place.retire(1)
    assert one.name in place.names()
    assert any(one.name in remark and "stays for now" in remark for remark in place.told.remarks)


@over_both
def test_clean_up_ends_where_the_platform_wants_no_more(place: Place) -> None:
    one, _, _, _ = (place.released(number) for number in range(1, 5))
    place.settled()
    target = place.target()
    now = target.observe()
    found = target.garbage([4], ())
    place.google.hands.fail(place.project, "DeleteRevision", "UNAVAILABLE", times=1)
    assert target.collect(found, place.stamp(now), now.seen) == ()
    assert len(place.names()) == 4
    assert any(one.name in remark and "stay for now" in remark for remark in place.told.remarks)


def test_a_stamp_that_cannot_be_read_is_not_written_over(place: Place) -> None:
    place.released(1)
    place.settled()
    target = place.target()
    now = target.observe()
    service = place.service()
    service.annotations["shipper.dev/stamp"] = '{"epoch": 99, "frozen": true}'
    place.google.state.update_service(service, ["annotations"])
    place.settled()
    with pytest.raises(Invalid, match="cannot be read"):
        target.observe()
    with pytest.raises(Invalid, match="cannot be read"):
        target.write_stamp(place.stamp(now), place.service().etag)
