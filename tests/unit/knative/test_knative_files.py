"""The Service as a file: with the settings of its release, only what Knative takes, and no marks of shipper's own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from shipper.errors import ConfigError
from shipper.targets import TargetContext
from shipper.targets.conformance import Values
from shipper_targets.knative.adapter import KnativeTarget
from shipper_targets.knative.observing import Found
from shipper_targets.knative.planning import plan_of
from shipper_targets.knative.settings import KnativeSettings
from tests.unit.knative.knative_objects import PLACE, own, release_of, revision_of, serving, settings_of

pytestmark = pytest.mark.unit

NO_GC = "serving.knative.dev/no-gc"


def template(release: Any, now: KnativeSettings) -> dict[str, Any]:
    """Of the file that `shipper render` writes for it."""
    target = KnativeTarget(TargetContext("kn", release.settings, PLACE, Values({})), now)
    ((name, text),) = target.render(release)
    assert name == "service-shop.yaml"
    found: dict[str, Any] = yaml.safe_load(text)["spec"]["template"]
    return found


def test_what_serves_has_the_settings_that_it_was_made_with() -> None:
    then = release_of(place={"timeout": "60s"})
    spec = template(then, own(timeout="5s", http2=True))["spec"]
    assert spec["timeoutSeconds"] == 60
    assert spec["containers"][0]["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]


@pytest.mark.parametrize("record", [{"number": 0}, {"place": None}], ids=["not released", "without its place"])
def test_what_has_no_settings_of_its_own_has_those_of_now(record: dict[str, Any]) -> None:
    release = release_of(place={"timeout": "60s"}).model_copy(update=record)
    assert template(release, own(timeout="5s"))["spec"]["timeoutSeconds"] == 5


def test_settings_of_another_version_are_no_reason_to_fail() -> None:
    assert template(release_of(place={"since_then": "gone"}), own(timeout="5s"))["spec"]["timeoutSeconds"] == 5


def test_what_the_webhook_would_refuse_is_not_written() -> None:
    release = release_of(settings_of(run={"port": 8012}), number=0)
    with pytest.raises(ConfigError) as raised:
        template(release, own())
    assert any("run.port: " in line and "8012 is a port of Knative's own" in line for line in raised.value.details)


def test_what_another_cluster_may_allow_is_written() -> None:
    assert template(release_of(number=0), own(node_selector={"pool": "gpu"}))["spec"]["nodeSelector"] == {"pool": "gpu"}


def test_revisions_of_a_gitops_tool_are_knatives_to_clean_up() -> None:
    release = release_of()
    assert NO_GC not in template(release, own())["metadata"]["annotations"]
    assert serving(release)["spec"]["template"]["metadata"]["annotations"][NO_GC] == "true"


@pytest.mark.parametrize("readable", [True, False], ids=["by its record", "as the platform has it"])
def test_that_it_is_kept_is_no_change_in_a_plan(readable: bool) -> None:
    release = release_of()
    there = revision_of(release)
    if not readable:
        there["metadata"]["annotations"].pop("shipper.dev/record")
    found = Found("shop", own(), serving(release), [there])
    plan = plan_of(release_of(number=8), found.observation(), found, own())
    assert not [one.subject for one in plan.changes if "no-gc" in one.subject]


def test_that_it_is_kept_no_more_is_drift() -> None:
    release = release_of()
    service = serving(release)
    metadata = service["spec"]["template"]["metadata"]
    metadata["name"] = "shop-by-hand"
    metadata["annotations"].pop(NO_GC)
    fields = [one.field for one in Found("shop", own(), service, [revision_of(release)]).observation().drift]
    assert fields == [f"template.annotations.{NO_GC}", "template.name"]
