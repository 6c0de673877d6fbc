"""A release that comes back is the manifests of then, whatever the settings and the values of secrets are by now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.model import Release, fingerprint_of
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.labels import SECRETS
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.records import Record, Records, secret_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.secret_refs import versions_hash
from shipper_targets.kubernetes.source import Source
from shipper_targets.kubernetes.values import mapping
from tests.unit.kubernetes.kube_rendering import OTHER_DIGEST, UID, own, release_of, settings_of

pytestmark = pytest.mark.unit

SETTINGS = settings_of(run={"secrets": {"KEY": "kubernetes:keys/api"}, "env": {"MODE": "then"}})
THEN, NOW = ({"KEY": f"kubernetes:keys/api@{UID}.{version}"} for version in (100, 200))


def back(then: Release, versions: dict[str, str], **changed: Any) -> Release:
    """A rollback to it, with these versions of its secrets."""
    changed = {"id": "01M7Z6KKGHFZM5B2GX6JWMZZZZ", "number": 3, "rollback_to": then.number, **changed}
    release = then.model_copy(update={"secret_versions": versions, **changed})
    fingerprint = fingerprint_of(release.images, release.settings, versions, release.content)
    return release.model_copy(update={"fingerprint": fingerprint})


def coming_back(release: Release, then: Release, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Rendered | None:
    """With other settings of the target by now, and files that are not here."""
    applied = render(then, own(annotations={"example.com/of": "then"}), "rolling")
    secret = secret_of("shop", then, applied, {}, "shops")
    secret["metadata"]["uid"] = "u"
    api, target = Api(own()), own(**settings)
    monkeypatch.setattr(api, "get", lambda *_: secret)
    manifests = Manifests(Records(api, "shop", ""), target, Source(target, Path("/nonexistent"), None))
    found = Found(base="shop", shape="rolling", routes=False, records=[Record(secret)])
    return manifests.of(release, found) if manifests.recorded(release, found) is not None else None


@pytest.mark.parametrize("versions", [THEN, NOW], ids=["the values of then", "other values by now"])
@pytest.mark.parametrize("settings", [{"annotations": {"example.com/of": "now"}}, {"manifests": ["deploy/"]}])
def test_what_was_recorded_comes_back_with_the_values_of_now(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], settings: dict[str, Any]
) -> None:
    then = release_of(SETTINGS, number=1, secrets=THEN)
    whole = coming_back(back(then, versions), then, monkeypatch, **settings)
    assert whole is not None
    annotations = mapping(whole.main.body, "spec", "template", "metadata", "annotations")
    assert annotations["example.com/of"] == "then"
    assert annotations[SECRETS] == versions_hash(versions)


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": settings_of(run={"secrets": {"KEY": "kubernetes:keys/api"}, "env": {"MODE": "other"}})},
        {"images": release_of(SETTINGS, digest=OTHER_DIGEST).images},
        {"content": "other manifests"},
        {"rollback_to": 2},
    ],
    ids=["configuration", "image", "manifests", "number"],
)
def test_what_is_no_rollback_to_it_is_rendered_anew(monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]) -> None:
    then = release_of(SETTINGS, number=1, secrets=THEN)
    assert coming_back(back(then, NOW, **changed), then, monkeypatch) is None
