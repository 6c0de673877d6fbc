"""One service in a namespace of the rig, written to by the targets themselves; what pods do is said by the rig's nodes.

Each `target()` is connected anew, as another process would: no memory of earlier runs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from shipper.model import (
    ImageRef,
    Observation,
    Release,
    Revision,
    Settings,
    Stamp,
    fingerprint_of,
    new_release_id,
)
from shipper.targets import TargetContext
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.weighted import WeightedTarget
from tests.integration.kubernetes.kube_service import REPOSITORY, settings_of

PATIENCE = 60.0


class NoSecrets:
    """This machine has no values; the platform has its own."""

    def versions(self) -> dict[str, str]:
        return {}


class KubePlace:
    """`sections` are those of shipper.toml, `own` the target's settings."""

    def __init__(
        self,
        namespace: str,
        kubeconfig: Path,
        *,
        context: str = "rig",
        sections: dict[str, Any] | None = None,
        **own: Any,
    ) -> None:
        self.namespace = namespace
        self.sections: dict[str, Any] = sections or {}
        self.own: dict[str, Any] = {
            "context": context,
            "kubeconfig": str(kubeconfig),
            "namespace": namespace,
            **own,
        }
        self.root: Path | None = None
        self.remarks: list[str] = []
        self.epoch = 0
        self.number = 0

    @property
    def settings(self) -> Settings:
        settings = settings_of(**self.sections)
        if self.root is None:
            return settings
        return settings.model_copy(update={"service": settings.service.model_copy(update={"root": str(self.root)})})

    def sets(self, **sections: Any) -> None:
        """Sections that are other ones from now on."""
        self.sections = {**self.sections, **sections}

    @property
    def api(self) -> Api:
        return Api(KubernetesSettings.model_validate(self.own))

    def _context(self) -> TargetContext:
        return TargetContext("kube", self.settings, self.own, NoSecrets(), report=self)  # type: ignore[arg-type]

    def remark(self, text: str) -> None:
        """What the target has to say that ends nothing."""
        self.remarks.append(text)

    def rolling(self) -> RollingTarget:
        return RollingTarget(self._context(), KubernetesSettings.model_validate(self.own))

    def weighted(self) -> WeightedTarget:
        if self.settings.rollout.strategy is None:
            self.sets(rollout={"strategy": "blue-green"})
        return WeightedTarget(self._context(), KubernetesSettings.model_validate(self.own))

    def release(self, text: str = "good", *, back_to: Release | None = None) -> Release:
        """The next one, of an image called `text`; or what brings an earlier one back."""
        self.number += 1
        settings = back_to.settings if back_to is not None else self.settings
        images = back_to.images if back_to is not None else {"main": image_of(text)}
        return Release(
            id=new_release_id(),
            number=self.number,
            fingerprint=fingerprint_of(images, settings, {}),
            images=images,
            settings=settings,
            target="kube",
            rollback_to=back_to.number if back_to is not None else None,
            created=time.time(),
        )

    def stamp(self, now: Observation, **changed: Any) -> Stamp:
        """This run's, over what was seen."""
        highest = max(now.highest, now.stamp.highest, self.number)
        return now.stamp.model_copy(update={"epoch": self.epoch, "highest": highest, **changed})

    def begins(self) -> None:
        """Another run has the lease."""
        self.epoch += 1

    # Whole releases, as rollout does them.

    def rolls_out(self, release: Release) -> Revision:
        """Replaced, ready, complete, and marked as verified."""
        self.begins()
        target = self.rolling()
        now = target.observe()
        revision = target.replace(release, self.stamp(now), now.seen)
        until_ready(target, revision)
        now = target.observe()
        target.finish(revision, self.stamp(now), now.seen)
        now = until(target, lambda now: now.in_flight is None)
        target.write_stamp(self.stamp(now, verified=(*now.stamp.verified, release.number)), now.seen)
        return revision

    def goes_over(self, release: Release) -> Revision:
        """Created, ready, given all of the traffic, and marked as verified."""
        self.begins()
        target = self.weighted()
        now = target.observe()
        revision = target.create(release, self.stamp(now), now.seen)
        until_ready(target, revision)
        now = target.observe()
        stamp = self.stamp(now, verified=(*now.stamp.verified, release.number))
        target.shift({revision.name: 100}, stamp, now.seen)
        return revision


def image_of(text: str) -> ImageRef:
    """An image that the rig's nodes know by its name."""
    import hashlib

    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    reference = f"{REPOSITORY}-{text}@{digest}"
    return ImageRef(config_digest=digest, manifest_digest=digest, reference=reference, platform="linux/amd64")


def until_ready(target: RollingTarget | WeightedTarget, revision: Revision) -> None:
    """Follow it to the end, which has to be a good one."""
    deadline = time.monotonic() + PATIENCE
    for step in target.progress(revision):
        assert time.monotonic() < deadline, f"{revision.name} is not ready after {PATIENCE} s: {step.reason}"
    assert step.state == "ready", step.reason


def until(target: RollingTarget | WeightedTarget, fits: Any) -> Observation:
    """Observe until it is so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now = target.observe()
        if fits(now):
            return now
        assert time.monotonic() < deadline, f"still so after {PATIENCE} s: {now}"
        time.sleep(0.1)


def serving(now: Observation) -> dict[int | None, int]:
    """Release number to percent."""
    return {one.number: one.weight for one in now.serving}
