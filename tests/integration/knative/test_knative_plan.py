"""What `shipper plan` says, which builds nothing: its release has no image yet. On the rig's Knative."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import ImageRef, Plan, Release, fingerprint_of
from shipper.targets import UNBUILT
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.plan_parts import SAME
from tests.integration.knative.knative_place import KnativePlace

pytestmark = pytest.mark.integration

RUN: dict[str, Any] = {"env": {"MODE": "one"}, "secrets": {"TOKEN": "kubernetes:keys/token"}}


@pytest.fixture
def shop(place: KnativePlace) -> KnativePlace:
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    place.api.create(SECRET, {**body, "stringData": {"token": "a"}})
    place.sections = {"run": RUN}
    return place


def made(place: KnativePlace, image: ImageRef | None = None) -> Release:
    """With the versions of its secrets, as a release is."""
    release = place.release(image=image)
    versions = dict(place.target().secret_versions(place.settings.run.secrets))
    fingerprint = fingerprint_of(release.images, release.settings, versions)
    return release.model_copy(update={"secret_versions": versions, "fingerprint": fingerprint})


def plans(place: KnativePlace) -> Plan:
    """As the command asks for it."""
    now = place.target().observe()
    digest = now.main.image if now.main is not None else UNBUILT
    return place.target().plan(made(place, ImageRef(config_digest=digest, reference="", platform="linux/amd64")), now)


def lines(plan: Plan) -> list[str]:
    return [f"{one.action} {one.subject}: {one.before} -> {one.after}" for one in plan.changes]


def test_a_first_release_is_told_in_a_few_lines(shop: KnativePlace) -> None:
    plan = plans(shop)
    assert plan.summary == "a first release"
    assert lines(plan) == [
        "create revision:  -> shop-…",
        "create image:  -> to be built",
        "create Service/shop:  -> new",
        "create visibility:  -> public",
    ]
    assert not any("would not" in told or "could not" in told for told in plan.remarks), plan.remarks


def test_with_nothing_changed_it_says_what_a_release_would_do(shop: KnativePlace) -> None:
    shop.goes_out(made(shop))
    plan = plans(shop)
    assert (plan.summary, plan.empty) == (SAME, True)


def test_another_value_of_a_secret_is_a_change(shop: KnativePlace) -> None:
    shop.goes_out(made(shop))
    shop.api.merge(SECRET, "keys", {"stringData": {"token": "b"}})
    plan = plans(shop)
    assert plan.summary == "a new revision"
    assert [one.subject for one in plan.changes] == ["revision", "image", "run.secrets.TOKEN (version)", "traffic"]


def test_a_variable_and_nothing_beside_it(shop: KnativePlace) -> None:
    first = shop.goes_out(made(shop))
    shop.sections = {"run": {**RUN, "env": {"MODE": "two"}}}
    told = lines(plans(shop))
    assert told[0] == "create revision:  -> shop-…"
    assert told[2:] == ["change template.env.MODE: one -> two", f"shift traffic: {first.name} -> shop-…"]


def test_what_shows_in_no_template_is_told_as_it_is_configured(shop: KnativePlace) -> None:
    shop.goes_out(made(shop))
    shop.sections = {**shop.sections, "health": {"startup": 8, "timeout": 1, "status": 204}}
    assert "change health.status: 200 -> 204" in lines(plans(shop))
