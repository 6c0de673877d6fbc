"""A release becomes a Knative Service: whole, by name, the same each time, and one that Knative takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shipper_targets.knative.content import content_of, file_of
from shipper_targets.knative.marks import own_release
from shipper_targets.knative.render import rendered, replacing, template_of
from shipper_targets.kubernetes.text import yaml_text
from tests.unit.knative.knative_configurations import HEALTHS, RUNS, SCALES
from tests.unit.knative.knative_objects import VERSION, manifest_of, own, release_of, settings_of

pytestmark = pytest.mark.unit

MANY = hypothesis_settings(max_examples=60)


@MANY
@given(RUNS, SCALES, HEALTHS)
def test_the_same_release_is_the_same_text(run: dict[str, Any], scale: dict[str, Any], health: dict[str, Any]) -> None:
    release = release_of(settings_of(run=run, scale=scale, health=health))
    again = release.model_copy(deep=True)
    assert yaml_text(rendered(release, own(), "shop")) == yaml_text(rendered(again, own(), "shop"))
    assert template_of(release, own(), "shop") == template_of(release, own(), "shop")


def test_a_release_is_in_its_revisions_annotations_and_comes_back_whole() -> None:
    release = release_of(settings_of(run={"env": {"MODE": "fast"}}))
    template = template_of(release, own(), "shop")

    found = own_release("shop", {"metadata": {**template["metadata"]}})

    assert template["metadata"]["name"] == "shop-7-wmrerd"
    assert found == release


def test_annotations_that_another_tool_has_copied_are_no_release() -> None:
    copied = template_of(release_of(), own(), "shop")["metadata"] | {"name": "shop-00009"}
    assert own_release("shop", {"metadata": copied}) is None


def test_a_container_is_tight_unless_it_is_loosened() -> None:
    container = _container(release_of())
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_secret_files_are_readable_where_the_pod_may_have_no_group() -> None:
    release = release_of(secrets={"TOKEN": VERSION})
    volumes = {one["name"]: one for one in manifest_of(release)["spec"]["template"]["spec"]["volumes"]}
    grouped = manifest_of(release, own(security={"group": 2000}))["spec"]["template"]["spec"]

    assert volumes["secrets"]["projected"]["defaultMode"] == 0o444
    assert {one["name"]: one for one in grouped["volumes"]}["secrets"]["projected"]["defaultMode"] == 0o440
    assert grouped["securityContext"] == {"fsGroup": 2000}


def test_port_is_knatives_to_set_and_dollars_stay_dollars() -> None:
    container = _container(release_of(settings_of(run={"port": 9000, "env": {"PRICE": "$(A) $$"}})))
    assert container["ports"] == [{"containerPort": 9000, "protocol": "TCP"}]
    assert container["env"] == [{"name": "PRICE", "value": "$$(A) $$$$"}]


def test_scale_becomes_annotations_of_the_template() -> None:
    settings = settings_of(scale={"min": 2, "max": 5, "concurrency": 8}, rollout={"timeout": "90s"})
    target = own(autoscale={"by": "kpa", "metric": "rps", "target": 150, "window": "1m", "scale_down_delay": "10s"})
    template = manifest_of(release_of(settings), target)["spec"]["template"]
    annotations = {key: value for key, value in template["metadata"]["annotations"].items() if "knative" in key}

    assert annotations == {
        "autoscaling.knative.dev/min-scale": "2",
        "autoscaling.knative.dev/max-scale": "5",
        "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/metric": "rps",
        "autoscaling.knative.dev/target": "150",
        "autoscaling.knative.dev/window": "60s",
        "autoscaling.knative.dev/scale-down-delay": "10s",
        "serving.knative.dev/progress-deadline": "90s",
        "serving.knative.dev/no-gc": "true",
    }
    assert template["spec"]["containerConcurrency"] == 8


def test_a_file_says_nothing_of_the_release() -> None:
    inside = {"visibility": "cluster-local"}
    first, second = release_of(place=inside), release_of(place=inside, number=8, release_id=new_id("ZZZZZZ"))
    name, text = file_of(first, own(), "shop")

    assert name == "service-shop.yaml"
    assert file_of(second, own(), "shop") == (name, text)
    assert yaml.safe_load(text)["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"
    assert "traffic" not in yaml.safe_load(text)["spec"]


def test_settings_of_the_kind_are_part_of_what_is_released() -> None:
    assert content_of(own()) == ""
    assert content_of(own(context="other", address="http://10.0.0.1")) == ""
    assert content_of(own(timeout="60s")) != content_of(own(timeout="61s")) != ""


@MANY
@given(st.data())
def test_a_template_is_replaced_whole(data: st.DataObject) -> None:
    values = st.recursive(
        st.one_of(st.integers(), st.text("ab", max_size=2)),
        lambda inner: st.one_of(st.dictionaries(st.text("abc", max_size=1), inner, max_size=3), st.lists(inner)),
    )
    objects = st.dictionaries(st.text("abc", max_size=1), values, max_size=3)
    there, wanted = data.draw(objects), data.draw(objects)
    assert _merged(there, replacing(there, wanted)) == wanted


def _merged(there: Any, patch: Any) -> Any:
    """RFC 7396, 2."""
    if not isinstance(patch, dict):
        return patch
    made = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(made.get(key), value)
    return made


def _container(release: Any) -> dict[str, Any]:
    found: dict[str, Any] = manifest_of(release)["spec"]["template"]["spec"]["containers"][0]
    return found


def new_id(end: str) -> str:
    """Another release's."""
    return "01M7Z6KKGHFZM5B2GX6J" + end
