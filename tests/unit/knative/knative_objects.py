"""Releases to render for Knative, and Services and revisions as Knative has them."""

from __future__ import annotations

from typing import Any

from shipper.model import ImageRef, Release, Settings, Stamp, TargetSettings, fingerprint_of
from shipper_targets.knative import traffic
from shipper_targets.knative.marks import stamp_text
from shipper_targets.knative.names import name_of_release, service_name
from shipper_targets.knative.render import service_of, template_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.knative.written import Written

DIGEST = "sha256:" + "ab" * 32
REPOSITORY = "registry.example.com/team/shop"
PLACE = {"context": "prod", "namespace": "shops"}
ID = "01M7Z6KKGHFZM5B2GX6JWMRERD"
VERSION = "kubernetes:shop/token@6f1c1a0e-3d0b-4f3e-9a53-0c2d5c1b7a11.42"


def own(**settings: Any) -> KnativeSettings:
    """Of a target in one namespace."""
    return KnativeSettings.model_validate({**PLACE, **settings})


def settings_of(service: str = "shop", environment: str = "production", **sections: Any) -> Settings:
    """Of one service."""
    return Settings.model_validate(
        {
            "service": {"service": service, "environment": environment, "root": "/srv/shop"},
            "image": {"repository": REPOSITORY},
            **sections,
        }
    )


def release_of(
    settings: Settings | None = None,
    *,
    number: int = 7,
    release_id: str = ID,
    secrets: dict[str, str] | None = None,
    place: dict[str, Any] | None = None,
    started_in: float | None = None,
) -> Release:
    """Published: its image is named by digest."""
    settings = settings or settings_of()
    image = ImageRef(
        config_digest=DIGEST, manifest_digest=DIGEST, reference=f"{REPOSITORY}@{DIGEST}", platform="linux/amd64"
    )
    return Release(
        id=release_id,
        number=number,
        fingerprint=fingerprint_of({"main": image}, settings, secrets or {}),
        images={"main": image},
        settings=settings,
        target="kn",
        place=TargetSettings(name="kn", kind="knative", settings={**PLACE, **(place or {})}),
        secret_versions=secrets or {},
        started_in=started_in,
        created=1_795_000_000.0,
    )


def manifest_of(release: Release, target: KnativeSettings | None = None) -> dict[str, Any]:
    """The Service as `create` would send it where nothing is."""
    target = target or own()
    service = service_name(release.settings, target)
    name = name_of_release(service, release)
    return service_of(release, target, service, traffic.targets({name: 100}, {f"n{release.number}": name}), {})


def serving(release: Release, **spec: Any) -> dict[str, Any]:
    """A Service of which this release has all of the traffic, written by shipper and settled."""
    name = name_of_release("shop", release)
    note = Written(traffic={name: 100}, newest=name, epoch=3)
    service = manifest_of(release)
    service["metadata"] |= {
        "uid": "u-1",
        "generation": 2,
        "resourceVersion": "10",
        "annotations": {
            "shipper.dev/stamp": stamp_text(Stamp(epoch=3, highest=release.number, verified=(release.number,))),
            "shipper.dev/written": note.model_dump_json(),
        },
    }
    service["spec"] |= spec
    service["status"] = settled(name)
    return service


def settled(name: str) -> dict[str, Any]:
    """The status of a Service that routes everything to one revision."""
    ready = [{"type": kind, "status": "True"} for kind in ("Ready", "RoutesReady", "ConfigurationsReady")]
    return {
        "observedGeneration": 2,
        "conditions": ready,
        "url": "http://shop.shops.example.com",
        "latestCreatedRevisionName": name,
        "latestReadyRevisionName": name,
        "traffic": [{"revisionName": name, "percent": 100, "latestRevision": False}],
    }


def revision(name: str, template: dict[str, Any] | None = None, **conditions: str) -> dict[str, Any]:
    """A revision with these conditions; ready when none are given."""
    told = conditions or {"Ready": "True"}
    metadata = dict((template or {}).get("metadata", {}))
    return {
        "metadata": {**metadata, "name": name, "generation": 1, "creationTimestamp": "2026-11-21T10:00:00Z"},
        "spec": (template or {}).get("spec", {}),
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": kind, "status": status} for kind, status in told.items()],
        },
    }


def revision_of(release: Release, **conditions: str) -> dict[str, Any]:
    """The revision that a release of ours has."""
    return revision(name_of_release("shop", release), template_of(release, own(), "shop"), **conditions)
