"""Labels and annotations: what marks an object as ours, and what carries release and stamp. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.model import Settings

MANAGER = "shipper"
"""The field manager of every write, for ever: server-side apply removes only what the same manager once set."""

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
SERVICE = "shipper.dev/service"
ENVIRONMENT = "shipper.dev/environment"
BASE = "shipper.dev/instance"
"""The name of the whole: what to find all objects of ours by. Own manifests keep their own app.kubernetes.io labels."""

WORKLOAD = "shipper.dev/workload"
"""The name of the Deployment that an object or a pod belongs to; the Service's selector asks for it."""

RELEASE = "shipper.dev/release"
NUMBER = "shipper.dev/number"
"""Labels of record and Deployment, to be found by; annotations of the Deployment, to be copied to its ReplicaSets."""

FINGERPRINT = "shipper.dev/fingerprint"
STAMP = "shipper.dev/stamp"
RECORD = "shipper.dev/record"
SECRETS = "shipper.dev/secrets"
"""Annotation of the pod template: a hash of secret versions, so that new values make new pods."""

CONFIG = "shipper.dev/config"
"""Annotation of the pod template of own manifests: a hash of the ConfigMaps and Secrets of the same set."""

IDENTITY = (RELEASE, NUMBER, FINGERPRINT, STAMP, RECORD)
"""What says which release an object belongs to: never in a pod template, never part of a release's content."""

OF_EVERY_OBJECT = frozenset({NAME, INSTANCE, MANAGED_BY, SERVICE, ENVIRONMENT, BASE})
"""The names of labels_of."""

NOTHING = "0"
"""The workload that a Service selects while nothing serves. Never a Deployment of ours: names begin with a letter."""


def labels_of(settings: Settings, base: str) -> dict[str, str]:
    """Labels of everything that belongs to this service in this environment."""
    return {
        NAME: settings.service.service,
        INSTANCE: base,
        MANAGED_BY: MANAGER,
        **marks_of(settings, base),
    }


def marks_of(settings: Settings, base: str) -> dict[str, str]:
    """Those of labels_of that nobody else sets: every object of ours has them, generated or the project's own."""
    service = settings.service
    return {SERVICE: service.service, ENVIRONMENT: service.environment, BASE: base}


def selector(base: str, workload: str) -> dict[str, str]:
    """Labels by which a Deployment, a Service, a PodDisruptionBudget find the pods of one workload."""
    return {INSTANCE: base, WORKLOAD: workload}


def label_query(labels: Mapping[str, str]) -> str:
    """As the API's `labelSelector` wants it: `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def without_marks(one: Mapping[str, Any]) -> dict[str, Any]:
    """The same object with nothing that says that it is ours."""
    metadata = {**one.get("metadata", {})}
    for member in ("labels", "annotations"):
        there = metadata.get(member) or {}
        metadata[member] = {key: value for key, value in there.items() if not key.startswith("shipper.dev/")}
    return {**one, "metadata": metadata}


def is_ours(labels: Mapping[str, str], base: str) -> bool:
    """Whether an object with these labels was made by shipper for this service."""
    return labels.get(BASE) == base and owner_of(labels) is not None


def owner_of(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """The service and environment whose object this is; None when shipper has not written there yet.

    "shop" in staging and "shop-staging" in production have the same name, and one of them has to choose another.
    """
    service, environment = labels.get(SERVICE), labels.get(ENVIRONMENT)
    return (service, environment) if service and environment else None
