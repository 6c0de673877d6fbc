"""What a rollback of own manifests would change, from their records: what users wrote, and no secret's value."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from shipper.model import Change
from shipper.targets import Invalid
from shipper_targets.kubernetes.coming_back import own_differences
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.own_manifests import render_own
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.records import Record, secret_of
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.yaml_files import documents
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_found import LABELS, deployment, found
from tests.unit.kubernetes.kube_rendering import OTHER_DIGEST, own, release_of, settings_of

pytestmark = pytest.mark.unit

SET = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: legacy-config}}
data: {{greeting: {greeting}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: legacy-keys}}
stringData: {{note: {note}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec: {{jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: a, image: {image}}}]}}}}}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop}}
spec:
  replicas: {replicas}
  template:
    spec: {{containers: [{{name: a, image: {image}, envFrom: [{{configMapRef: {{name: legacy-config}}}}]}}]}}
"""
MORE = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {a: b}
"""
OWN = own(manifests=["a.yaml"])
IDS = {1: "01M7Z6KKGHFZM5B2GX6JWMAAAA", 2: "01M7Z6KKGHFZM5B2GX6JWMBBBB"}


def changes(then: str, now: str, *there: dict[str, Any], recorded: bool = True) -> tuple[Change, ...]:
    """Release 1 is what comes back, with the image OTHER_DIGEST; 2 serves with four pods."""
    one = release_of(number=1, release_id=IDS[1], digest=OTHER_DIGEST)
    two = release_of(number=2, release_id=IDS[2])
    server: Any = Server(*there)
    reading = Reading(server, settings_of(), OWN, "rolling")
    records = []
    for release, text in ((one, then), (two, now)):
        whole = render_own(list(documents(text, "a.yaml")), release, OWN)
        secret = {**secret_of("shop", release, whole, LABELS, "shops"), "kind": "Secret"}
        secret["metadata"]["uid"] = release.id
        if recorded or release is two:
            server.objects[f"Secret/{secret['metadata']['name']}"] = secret
        records.append(Record(secret))
    live = deployment(2, replicas=4)
    reading.now = lambda **_: found(deployments=[live], records=records)  # type: ignore[method-assign]
    manifests = Manifests(reading.records, OWN, Source(OWN, Path("/nonexistent"), None))
    return own_differences(manifests, reading, two, one)


def written(greeting: str = "hello", note: str = "quiet", replicas: int = 2) -> str:
    return SET.format(greeting=greeting, note=note, replicas=replicas, image="registry.example.com/team/shop:any")


def told(found: tuple[Change, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.action, one.subject, one.before, one.after) for one in found]


def test_a_value_of_a_config_map_is_told_and_what_only_the_image_makes_is_not() -> None:
    found = changes(written("hello-1"), written("hello-2"))
    assert told(found) == [("change", "ConfigMap/legacy-config data.greeting", "hello-2", "hello-1")]


def test_of_a_secret_no_value_is_shown() -> None:
    found = changes(written(note="first-note"), written(note="second-note"))
    assert told(found) == [("change", "Secret/legacy-keys data.note", "(not shown)", "(not shown)")]
    for value in ("first-note", "second-note"):
        assert base64.b64encode(value.encode()).decode() not in str(found)


def test_a_count_that_a_rollback_does_not_bring_back_is_not_told() -> None:
    assert changes(written(replicas=1), written(replicas=3)) == ()


@pytest.mark.parametrize(
    ("notes", "labels", "goes"),
    [({}, LABELS, True), ({"shipper.dev/taken-over": "true"}, LABELS, False), ({}, {}, False)],
    ids=["ours", "it was there before", "somebody else's"],
)
def test_what_was_not_there_then_goes_where_it_is_ours(
    notes: dict[str, str], labels: dict[str, str], goes: bool
) -> None:
    metadata = {"name": "extra", "uid": "x", "labels": labels, "annotations": notes}
    found = changes(written(), written() + MORE, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert told(found) == ([("remove", "ConfigMap/extra", "", "will be removed")] if goes else [])


def test_what_is_back_is_told_as_new() -> None:
    assert told(changes(written() + MORE, written())) == [("create", "ConfigMap/extra", "", "new")]


def test_without_a_record_nothing_is_said() -> None:
    assert changes(written("hello-1"), written("hello-2"), recorded=False) == ()


def test_a_kind_that_the_cluster_serves_no_more_does_not_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any) -> Any:
        raise Invalid("no such kind")

    monkeypatch.setattr(Reading, "live", unknown)
    assert changes(written(), written() + MORE) == ()


def test_another_image_alone_is_no_difference_of_manifests() -> None:
    assert changes(written(), written()) == ()
