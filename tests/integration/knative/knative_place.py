"""One Knative Service in a namespace of the rig, written to by the target itself; what pods do the rig's nodes say.

Each `target()` is connected anew, as another process would: no memory of earlier runs.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from shipper.model import (
    ImageRef,
    Observation,
    Progress,
    Release,
    Revision,
    Settings,
    Stamp,
    TargetSettings,
    fingerprint_of,
    new_release_id,
)
from shipper.targets import TargetContext
from shipper.targets.conformance import Values
from shipper_targets.knative.adapter import KnativeTarget
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.values import Object, objects
from tests.integration.kubernetes.waiting import first_time
from tests.rig.kubernetes.handle import KubeRig

PATIENCE = 60.0
NAME = "shop"
REPOSITORY = "registry.test/shop"
"""Of which Knative resolves no tags, and the nodes run what a test says."""


class KnativePlace:
    """`sections` are those of shipper.toml, `own` the target's settings."""

    def __init__(self, rig: KubeRig, namespace: str, **own: Any) -> None:
        self.rig = rig
        self.namespace = namespace
        self.sections: dict[str, Any] = {}
        self.own: dict[str, Any] = {
            "context": "rig",
            "kubeconfig": str(rig.kubeconfig()),
            "namespace": namespace,
            **own,
        }
        self.remarks: list[str] = []
        self.epoch = 1
        self.number = 0

    @property
    def settings(self) -> Settings:
        sections = {"health": {"startup": 8, "timeout": 1}, **self.sections}
        service = {"service": NAME, "environment": "production", "root": "/"}
        return Settings.model_validate({"service": service, "image": {"repository": REPOSITORY}, **sections})

    def target(self, kubeconfig: Path | None = None) -> KnativeTarget:
        own = {**self.own, **({"kubeconfig": str(kubeconfig)} if kubeconfig is not None else {})}
        context = TargetContext("kn", self.settings, own, Values({}), report=self)  # type: ignore[arg-type]
        return KnativeTarget(context, KnativeSettings.model_validate(own))

    def own_of(self, settings: Mapping[str, Any]) -> KnativeSettings:
        """The target's settings as they are written."""
        return KnativeSettings.model_validate(settings)

    def target_of(self, timeout: str) -> KnativeTarget:
        """As it was configured when it had this timeout, and nothing else of its own."""
        kept = {key: self.own[key] for key in ("context", "kubeconfig", "namespace")}
        return KnativeTarget(
            TargetContext("kn", self.settings, kept, Values({})), self.own_of({**kept, "timeout": timeout})
        )

    def remark(self, text: str) -> None:
        """What a run would tell its user."""
        self.remarks.append(text)

    def log(self, text: str) -> None:
        """The output of a command."""
        self.remarks.append(text)

    @cached_property
    def api(self) -> Api:
        return Api(KnativeSettings.model_validate(self.own).cluster)

    def release(self, text: str = "good", *, image: ImageRef | None = None) -> Release:
        """The next one, of an image called `text`, or of a real one."""
        self.number += 1
        image = image or image_of(text)
        return Release(
            id=new_release_id(),
            number=self.number,
            fingerprint=fingerprint_of({"main": image}, self.settings, {}),
            images={"main": image},
            settings=self.settings,
            target="kn",
            place=TargetSettings(name="kn", kind="knative", settings=dict(self.own)),
            created=time.time(),
        )

    def stamp(self, *verified: int) -> Stamp:
        """This run's."""
        return Stamp(epoch=self.epoch, highest=self.number, verified=verified)

    # Parts of a release, as rollout does them.

    def creates(self, release: Release) -> Revision:
        target = self.target()
        return target.create(release, self.stamp(), target.observe().seen)

    def follows(self, revision: Revision) -> Progress:
        """To its end, whatever that is."""
        deadline = time.monotonic() + PATIENCE
        for step in self.target().progress(revision):
            assert time.monotonic() < deadline, f"{revision.name} has no end after {PATIENCE} s: {step.reason}"
        return step

    def shifts(self, revision: Revision, *verified: int) -> None:
        target = self.target()
        target.shift({revision.name: 100}, self.stamp(*verified), target.observe().seen)

    def goes_out(self, release: Release) -> Revision:
        """Created, ready, all of the traffic, verified."""
        revision = self.creates(release)
        step = self.follows(revision)
        assert step.state == "ready", step
        self.shifts(revision, release.number)
        now = self.target().observe()
        others = [one for one in now.revisions if not one.weight]
        self.target().retire(others, "warm", self.stamp(release.number), now.seen)
        return revision

    # What is there

    def service(self) -> dict[str, Any]:
        return self.api.get(SERVICE, NAME)

    def revision(self, name: str) -> dict[str, Any]:
        return self.api.get(REVISION, name)

    def by_hand(self, patch: dict[str, Any]) -> None:
        """As kubectl does it."""
        self.api.merge(SERVICE, NAME, patch)

    def knowing(self, known: Callable[[list[Object]], bool]) -> AbstractContextManager[list[float]]:
        """When the API server first has pods' containers of which `known` is true: seconds of the monotonic clock."""

        def holds() -> bool:
            pods = self.api.list(POD).items
            return known([one for pod in pods for one in objects(pod, "status", "containerStatuses")])

        return first_time(holds)

    def until(self, fits: Callable[[Observation], bool], patience: float = PATIENCE) -> Observation:
        """Observe until it is so."""
        deadline = time.monotonic() + patience
        while not fits(now := self.target().observe()):
            assert time.monotonic() < deadline, f"still so after {patience} s: {now}"
            time.sleep(0.1)
        return now


def image_of(text: str) -> ImageRef:
    """An image that the rig's nodes know by its name."""
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    reference = f"{REPOSITORY}-{text}@{digest}"
    return ImageRef(config_digest=digest, manifest_digest=digest, reference=reference, platform="linux/amd64")


def weights(now: Observation) -> dict[str, int]:
    """Revision to percent."""
    return {one.name: one.weight for one in now.serving}


def waited_for(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Until it is so."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        time.sleep(0.1)
