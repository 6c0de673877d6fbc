"""Drift and plans: field by field, only of what is ours, secrets never."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import run_v2

from shipper.errors import Invalid
from shipper.model import Release
from shipper_targets.cloudrun import render
from shipper_targets.cloudrun.marks import STAMP
from shipper_targets.cloudrun.names import names_of
from shipper_targets.cloudrun.observing import Found
from shipper_targets.cloudrun.planning import plan_of
from shipper_targets.cloudrun.scaling import scale_line
from shipper_targets.cloudrun.traffic import targets
from shipper_targets.cloudrun.written import WRITTEN, written
from tests.rig.google.cloudrun.defaults import fill_service
from tests.rig.google.cloudrun.names import ServiceName
from tests.rig.google.cloudrun.revisions import from_template
from tests.unit.cloudrun.rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

OWN = own()


def served(release: Release) -> Found:
    """A service that this release serves alone, as the platform shows it: with its own defaults."""
    names = names_of(release.settings, OWN)
    service = render.service_of(release, OWN, names.service_id)
    name = service.template.revision
    service.name, service.etag, service.uri = names.service, '"1"', "https://shop.example"
    service.traffic = targets({name: 100}, {})
    service.annotations = {STAMP: '{"epoch": 3, "highest": 7}', WRITTEN: written(service, {name: 100}, name)}
    fill_service(service, "demo")
    service.latest_created_revision = service.latest_ready_revision = names.revision(name)
    service.traffic_statuses = [run_v2.TrafficTargetStatus(revision=name, percent=100)]
    place = ServiceName("demo", "europe-west1", names.service_id)
    return Found(names, service, [from_template(place, name, service.template, "me")])


def there(found: Found) -> run_v2.Service:
    assert found.service is not None
    return found.service


def fields(found: Found) -> dict[str, tuple[str, str]]:
    return {each.field: (each.ours, each.found) for each in found.observation().drift}


def test_what_the_platform_fills_in_is_no_drift() -> None:
    assert fields(served(release_of())) == {}


def test_traffic_moved_by_hand() -> None:
    found = served(release_of())
    there(found).traffic = [run_v2.TrafficTarget(type_=1, percent=100)]
    assert fields(found) == {"traffic": ("shop-dev-7-wmrerd 100 %", "LATEST 100 %")}


def test_a_tag_of_somebody_else_is_no_drift() -> None:
    found = served(release_of())
    there(found).traffic = targets({"shop-dev-7-wmrerd": 100}, {"preview": "shop-dev-7-wmrerd"})
    assert fields(found) == {}


def test_a_variable_changed_by_hand() -> None:
    """As gcloud does: the same annotations, a revision of another name."""
    found = served(release_of(settings_of(run={"env": {"MODE": "slow", "API_TOKEN": "abc"}})))
    template = there(found).template
    template.revision = ""
    del template.containers[0].env[0]
    template.containers[0].env.extend([run_v2.EnvVar(name="MODE", value="fast"), run_v2.EnvVar(name="X", value="1")])
    template.containers[0].env[0].value = "def"
    there(found).latest_created_revision = found.names.revision("shop-dev-00002-abc")
    shown = fields(found)
    assert shown["template.revision"] == ("shop-dev-7-wmrerd", "shop-dev-00002-abc")
    assert shown["template.containers.0.env.X"] == ("(nothing)", "1")
    assert shown["template.containers.0.env.MODE"] == ("slow", "fast")
    assert "abc" not in json.dumps([shown.get("template.containers.0.env.API_TOKEN")])


def test_what_holds_for_the_whole_service() -> None:
    found = served(release_of())
    there(found).ingress = run_v2.IngressTraffic(2)  # internal only
    there(found).invoker_iam_disabled = True
    there(found).scaling.min_instance_count = 5
    assert set(fields(found)) == {"ingress", "invoker_iam_disabled", "scaling.min_instance_count"}


def test_where_shipper_never_wrote_there_is_no_drift() -> None:
    found = served(release_of())
    there(found).annotations = {}
    found.revisions[0].annotations = {}
    there(found).traffic = []
    assert fields(found) == {}


def test_annotations_that_are_gone_are_drift_where_revisions_of_ours_are() -> None:
    """Else nothing could be compared, and whatever else was changed would pass."""
    found = served(release_of())
    there(found).annotations = {}
    there(found).invoker_iam_disabled = True
    assert fields(found)["annotations"][0] == "shipper.dev/stamp, shipper.dev/written"
    found = served(release_of())
    there(found).annotations[WRITTEN] = '{"of": "a newer shipper"}'
    assert fields(found)["annotations"][0] == "shipper.dev/written"


def test_scaling_by_hand() -> None:
    found = served(release_of())
    there(found).scaling = run_v2.ServiceScaling(
        scaling_mode=run_v2.ServiceScaling.ScalingMode.MANUAL, manual_instance_count=0
    )
    assert fields(found) == {"scaling.scaling_mode": ("automatic", "manual")}


@pytest.mark.parametrize("text", ['{"epoch": 99, "frozen": true}', "no JSON", '{"epoch": "x"}'])
def test_a_stamp_that_cannot_be_read_is_no_empty_one(text: str) -> None:
    found = served(release_of())
    there(found).annotations[STAMP] = text
    with pytest.raises(Invalid, match="stamp of shop-dev cannot be read"):
        found.observation()


def test_arguments_with_secrets_are_not_shown() -> None:
    command = ["serve", "--db=postgres://u:hunter2@h/db", "--api-key=sk-1", "--token", "sk-2", "postgres://u:p@h/db"]
    plan = plan_of_args(["serve"], [*command, "--mode=fast"])
    assert [plan[f"template.containers.0.args.{at}"] for at in range(1, 7)] == [
        "(not shown)",
        "(not shown)",
        "--token",
        "(not shown)",
        "(not shown)",
        "--mode=fast",
    ]
    found = served(release_of(settings_of(run={"command": ["serve"]})))
    there(found).template.containers[0].args = ["serve", "--password", "hunter2", "--api-key=sk-1"]
    there(found).template.revision = ""
    there(found).latest_created_revision = found.names.revision("shop-dev-00002-abc")
    assert "hunter2" not in str(fields(found))
    assert "sk-1" not in str(fields(found))


def plan_of_args(before: list[str], after: list[str]) -> dict[str, str]:
    old, new = (release_of(settings_of(run={"command": command})) for command in (before, after))
    return {each["subject"]: each["after"] for each in planned(old, new)["changes"]}


def test_what_served_before_shipper_is_number_zero() -> None:
    found = served(release_of())
    there(found).annotations = {}
    found.revisions[0].annotations = {}
    (serving,) = found.observation().serving
    assert (serving.number, serving.release, serving.weight) == (0, None, 100)


def test_a_service_that_is_being_deleted_is_not_overlapped() -> None:
    found = served(release_of())
    assert found.observation().in_flight is None
    there(found).delete_time = datetime.now(UTC)
    assert found.observation().in_flight == "the deletion of shop-dev"


def planned(before: Release | None, after: Release, **target: Any) -> dict[str, Any]:
    found = served(before) if before is not None else Found(names_of(after.settings, OWN), None, [])
    return plan_of(after, found.observation(), found, own(**target)).model_dump(mode="json")


def test_a_first_release_names_everything_that_is_asked_for() -> None:
    plan = planned(None, release_of(settings_of(run={"env": {"MODE": "fast"}})))
    assert plan["summary"] == "a first release"
    subjects = [change["subject"] for change in plan["changes"]]
    assert subjects[:2] == ["revision", "image"]
    assert "template.containers.0.env.MODE" in subjects
    assert all(change["action"] == "create" for change in plan["changes"])


def test_a_plan_is_the_difference_in_a_stable_order() -> None:
    before = release_of(settings_of(run={"env": {"MODE": "slow", "OLD": "1"}, "memory": "512MiB"}))
    wanted = settings_of(run={"env": {"MODE": "fast", "API_TOKEN": "x"}, "memory": "1GiB"}, scale={"min": 1})
    after = release_of(wanted, number=8, digest="sha256:" + "cd" * 32)
    plan = planned(before, after, access="public")
    assert [(each["action"], each["subject"], each["before"], each["after"]) for each in plan["changes"]] == [
        ("create", "revision", "", "shop-dev-8-wmrerd"),
        ("change", "image", before.main.reference, after.main.reference),
        ("create", "template.containers.0.env.API_TOKEN", "", "(not shown)"),
        ("change", "template.containers.0.env.MODE", "slow", "fast"),
        ("remove", "template.containers.0.env.OLD", "1", ""),
        ("change", "template.containers.0.resources.limits.memory", "512Mi", "1024Mi"),
        ("change", "invoker_iam_disabled", "false", "true"),
        ("change", "scaling.min_instance_count", "0", "1"),
        ("shift", "traffic", "shop-dev-7-wmrerd", "shop-dev-8-wmrerd"),
    ]
    assert planned(before, after, access="public") == plan


def test_the_same_again_changes_nothing() -> None:
    plan = planned(release_of(), release_of(number=8))
    assert [each["action"] for each in plan["changes"]] == ["keep"]


def test_over_somebody_elses_service_only_our_fields_differ() -> None:
    before = served(release_of())
    there(before).annotations = {}
    before.revisions[0].annotations = {}
    after = release_of(settings_of(run={"env": {"MODE": "fast"}}), number=1)
    plan = plan_of(after, before.observation(), before, OWN)
    assert [each.subject for each in plan.changes] == ["revision", "image", "template.containers.0.env.MODE", "traffic"]


def test_what_somebody_elses_service_had_and_loses_is_told() -> None:
    before = served(release_of())
    before.revisions[0].annotations = {}
    before.revisions[0].service_account = "shop@demo.iam.gserviceaccount.com"
    before.revisions[0].session_affinity = True
    before.revisions[0].timeout = timedelta(seconds=900)
    before.revisions[0].containers.append(run_v2.Container(name="sidecar", image="proxy"))
    changes = plan_of(release_of(number=1), before.observation(), before, OWN).changes
    assert [(each.action, each.subject, each.before) for each in changes if each.action == "remove"] == [
        ("remove", "template.containers.1.image", "proxy"),
        ("remove", "template.containers.1.name", "sidecar"),
        ("remove", "template.containers.1.resources.cpu_idle", "false"),
        ("remove", "template.containers.1.resources.startup_cpu_boost", "false"),
        ("remove", "template.service_account", "shop@demo.iam.gserviceaccount.com"),
        ("remove", "template.session_affinity", "true"),
        ("remove", "template.timeout", "900s"),
    ]


@pytest.mark.parametrize(
    ("scale", "line"),
    [
        ({}, "0 to 100 instances, scales to zero, 80 requests at once for each, CPU during requests only; "),
        ({"min": 2, "max": 5, "concurrency": 1, "cpu_idle": False}, "2 to 5 instances, 1 request at once for each, "),
    ],
)
def test_the_scale_in_one_line(scale: dict[str, Any], line: str) -> None:
    assert scale_line(settings_of(scale=scale)).startswith(line)
