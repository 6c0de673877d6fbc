"""When a plan says that there is nothing to do, what it calls what nobody knows yet, and what shows in no object."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Change, Observation, Release, Revision, Stamp
from shipper.targets import UNBUILT, change_of
from shipper_targets.kubernetes.plan_parts import (
    Stood,
    configuration_alone,
    labels_told_once,
    secret_changes,
    serves_already,
)
from tests.unit.kubernetes.kube_rendering import OTHER_DIGEST, UID, release_of, settings_of

pytestmark = pytest.mark.unit

RELEASE = release_of()


def seen(*more: Revision, verified: tuple[int, ...] = (7,), **members: Any) -> Observation:
    main = Revision(
        name="shop-7-wmrerd", release=RELEASE.id, number=7, fingerprint=RELEASE.fingerprint, weight=100, state="running"
    )
    every = (main.model_copy(update=members), *more)
    serving = tuple(one for one in every if one.weight)
    stamp = Stamp(epoch=1, highest=7, verified=verified)
    return Observation(serving=serving, revisions=every, stamp=stamp, seen="1", address=None)


def again(**members: Any) -> Release:
    """The next one."""
    return release_of(number=8, release_id="01M7Z6KKGHFZM5B2GX6JWMREAA", **members)


def test_the_same_content_that_was_verified_has_nothing_to_do() -> None:
    assert serves_already(again(), seen())


@pytest.mark.parametrize(
    ("release", "now"),
    [
        (again(settings=settings_of(run={"env": {"MODE": "two"}})), seen()),
        (again(digest=OTHER_DIGEST), seen()),
        (again(secrets={"TOKEN": f"kubernetes:keys/token@{UID}.2"}), seen()),
        (again(), seen(verified=())),
        (again(), seen(fingerprint=None, release=None, number=0)),
        (again(), seen(Revision(name="shop-6", release=None, weight=40, state="running"), weight=60)),
        (again(), seen(weight=0)),
    ],
    ids=["configuration", "image", "secret", "never verified", "adopted", "half of the traffic", "nothing serves"],
)
def test_anything_else_is_released(release: Release, now: Observation) -> None:
    assert not serves_already(release, now)


def test_labels_that_every_object_gets_are_one_line_and_hide_nothing_else() -> None:
    data = change_of("ConfigMap/a data.greeting", "hello-1", "hello-2")
    taken = change_of("ConfigMap/a metadata.labels.app.kubernetes.io/managed-by", "Helm", "shipper")
    theirs = change_of("ConfigMap/a metadata.labels.team", "", "web")
    of_pods = change_of("Deployment/b spec.template.metadata.labels.shipper.dev/service", "", "shop")
    ours = [
        change_of(f"{key} metadata.labels.{label}", "", "shop")
        for key in ("ConfigMap/a", "Deployment/b")
        for label in ("shipper.dev/service", "shipper.dev/instance")
    ]
    found = list(labels_told_once([*ours[:1], data, taken, *ours[1:], theirs, of_pods]))
    assert found[:-1] == [data, taken, theirs, of_pods]
    line = found[-1]
    assert (line.action, line.subject) == ("create", "labels of 2 objects")
    assert line.after == "shipper.dev/instance, shipper.dev/service"
    assert [one.subject for one in labels_told_once(ours[:2])] == ["labels of ConfigMap/a"]
    assert list(labels_told_once([data])) == [data]


def test_what_stands_for_what_nobody_knows_is_not_shown() -> None:
    stood = Stood.of("shop-8-abcdef", "shop", f"registry.example.com/shop@{UNBUILT}")
    body = {"name": "shop-8-abcdef", "all": [{"image": f"registry.example.com/shop@{UNBUILT}"}, 3, "shop-8-abcdefg"]}
    assert stood.value(body) == {"name": "shop-…", "all": [{"image": "to be built"}, 3, "shop-8-abcdefg"]}
    assert stood.text(f"shop-8-abcdef: no registry.example.com/shop@{UNBUILT} here") == "shop-…: no to be built here"


def shown(changes: Any) -> list[str]:
    return [f"{one.subject}: {one.before} -> {one.after}" for one in changes if isinstance(one, Change)]


def test_a_secrets_other_value_is_told_by_its_version() -> None:
    was, will_be = ({"TOKEN": f"kubernetes:keys/token@{UID}.{number}", "SAME": "x@1"} for number in (1, 2))
    changes = secret_changes(release_of(secrets=was), again(secrets=will_be))
    assert shown(changes) == [f"run.secrets.TOKEN (version): {UID}.1 -> {UID}.2"]
    assert shown(secret_changes(None, again(secrets=will_be))) == []


def test_what_shows_in_no_object_is_told_as_it_is_configured() -> None:
    other = again(settings=settings_of(health={"status": 204}))
    assert shown(configuration_alone(RELEASE, other)) == ["health.status: 200 -> 204"]
    assert shown(configuration_alone(RELEASE, again())) == []
