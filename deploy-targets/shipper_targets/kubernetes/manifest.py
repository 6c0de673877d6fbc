"""Manifests as plain JSON values, and what a release is as manifests. Pure.

A manifest never contains which release it belongs to: the same content is the same text, so that what comes back is
what was there. `identified` adds release and stamp at the moment of writing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shipper.model import Release
from shipper.model.noun import digest_of
from shipper_targets.kubernetes.labels import FINGERPRINT, NUMBER, RELEASE, STAMP

CHANGE_CAUSE = "kubernetes.io/change-cause"
"""What `kubectl rollout history` shows."""

_ANY_NAME = "workload"


@dataclass(frozen=True, order=True)
class Key:
    """What an object is called: two manifests with the same key are the same object. `group` is "" for the core's."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Manifest:
    """One object as it is to be applied: JSON values only. Never change `body` in place."""

    body: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        """Such as "apps/v1"."""
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        """Such as "Deployment"."""
        return str(self.body["kind"])

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Name, namespace, labels, annotations."""
        found: Mapping[str, Any] = self.body["metadata"]
        return found

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """The object's namespace; "" for what has none."""
        return str(self.metadata.get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """The object's own labels."""
        found: Mapping[str, str] = self.metadata.get("labels") or {}
        return found

    @property
    def key(self) -> Key:
        """Which object this is."""
        group = self.api_version.rpartition("/")[0]
        return Key(group, self.kind, self.namespace, self.name)

    def copied(self) -> dict[str, Any]:
        """The body as a value of one's own, free to be changed."""
        return copy.deepcopy(dict(self.body))

    def marked(
        self, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
    ) -> Manifest:
        """The same with further labels and annotations of the object itself, not of its pods."""
        body = self.copied()
        for member, more in (("labels", labels), ("annotations", annotations)):
            if more:
                body["metadata"][member] = {**(body["metadata"].get(member) or {}), **more}
        return Manifest(body)


@dataclass(frozen=True)
class Rendered:
    """A release as manifests, in the order in which they are applied: what others need comes first.

    `workload` is the Deployment that runs the image. `content` is the same for the same manifests, whatever the
    workload is called: a weighted Deployment is named after its release.
    """

    manifests: tuple[Manifest, ...]
    workload: Key
    content: str

    def of_kind(self, kind: str) -> tuple[Manifest, ...]:
        """Those of one kind, such as "Service"."""
        return tuple(manifest for manifest in self.manifests if manifest.kind == kind)

    def find(self, key: Key) -> Manifest | None:
        """The manifest of one object."""
        return next((manifest for manifest in self.manifests if manifest.key == key), None)

    @property
    def main(self) -> Manifest:
        """The workload's own manifest."""
        found = self.find(self.workload)
        if found is None:
            raise ValueError(f"{self.workload} is not among its own manifests")
        return found

    @property
    def others(self) -> tuple[Manifest, ...]:
        """Everything but the workload."""
        return tuple(manifest for manifest in self.manifests if manifest.key != self.workload)

    @property
    def keys(self) -> frozenset[Key]:
        """Which objects these are."""
        return frozenset(manifest.key for manifest in self.manifests)


def rendered(manifests: Iterable[Manifest], workload: Key, *, named_after_release: bool = False) -> Rendered:
    """Manifests with the digest of their content; without the workload's name where that says which release it is."""
    whole = tuple(manifests)
    return Rendered(whole, workload, _content(whole, workload.name if named_after_release else None))


def identified(manifest: Manifest, release: Release, stamp: str | None = None) -> Manifest:
    """With the release as labels and annotations of the object itself, and the stamp's text when there is one.

    Annotations as well as labels: the Deployment controller copies a Deployment's annotations to its ReplicaSets, and
    that is how old pods say which release they are of, although their template does not.
    """
    marks = {RELEASE: release.id, NUMBER: str(release.number)}
    annotations = {**marks, FINGERPRINT: release.fingerprint}
    if stamp is not None:
        annotations[STAMP] = stamp
    if manifest.kind == "Deployment":
        annotations[CHANGE_CAUSE] = _cause(release)
    return manifest.marked(labels=marks, annotations=annotations)


def renamed(whole: Rendered, old: str, new: str) -> Rendered:
    """The same manifests with the workload `old` called `new`: how a recorded release comes back as a new revision.

    Exactly the values that are this name are changed, wherever a manifest says it (names, labels, selectors, the HPA's
    target, a route's backend). What a user wrote (environment, arguments, annotations) is left alone.
    """
    if whole.workload.name != old:
        raise ValueError(f"{whole.workload} is not {old}")
    manifests = tuple(Manifest(_renamed(manifest.body, old, new, ())) for manifest in whole.manifests)
    key = whole.workload
    return Rendered(manifests, Key(key.group, key.kind, key.namespace, new), whole.content)


def _cause(release: Release) -> str:
    back = f" (rollback to #{release.rollback_to})" if release.rollback_to is not None else ""
    return f"shipper: #{release.number}{back}"


def _content(manifests: tuple[Manifest, ...], release_name: str | None) -> str:
    bodies = [_renamed(manifest.body, release_name, _ANY_NAME, ()) for manifest in manifests]
    return digest_of(sorted(digest_of(body) for body in bodies))


_NAMED = (
    ("metadata", "name"),
    ("metadata", "labels", "shipper.dev/workload"),
    ("spec", "selector", "shipper.dev/workload"),
    ("spec", "selector", "matchLabels", "shipper.dev/workload"),
    ("spec", "template", "metadata", "labels", "shipper.dev/workload"),
    ("spec", "template", "spec", "topologySpreadConstraints", "labelSelector", "matchLabels", "shipper.dev/workload"),
    ("spec", "scaleTargetRef", "name"),
    ("spec", "rules", "backendRefs", "name"),
)
"""Where a manifest of ours says its workload's name; list indices are left out."""


def _renamed(value: Any, old: str | None, new: str, path: tuple[str, ...]) -> Any:
    if isinstance(value, Mapping):
        return {key: _renamed(found, old, new, (*path, key)) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(found, old, new, path) for found in value]
    return new if old is not None and value == old and path in _NAMED else value
