"""One service in one namespace of the rig, for tests of what watches, asks and judges; writes are plain here.

Manifests are those of the adapter's own render; what pods do is said by the rig's nodes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from shipper.model import ImageRef, Progress, Release, Revision, Settings, fingerprint_of, new_release_id
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.instances import Instances
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.logs import Logs
from shipper_targets.kubernetes.manifest import Manifest, Rendered, identified
from shipper_targets.kubernetes.names import Shape, revision_name
from shipper_targets.kubernetes.readiness import Readiness
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.settings import KubernetesSettings
from tests.integration.kubernetes.waiting import first_time
from tests.rig.kubernetes.handle import KubeRig

REPOSITORY = "registry.example.com/team/shop"
PATIENCE = 60.0


class KubeService:
    """`kubeconfig`: an administrator's when it is not given; `own` are the target's settings."""

    def __init__(
        self, rig: KubeRig, namespace: str, *, kubeconfig: Path | None = None, gate: bool = False, **own: Any
    ) -> None:
        self.rig, self.namespace = rig, namespace
        file = kubeconfig or rig.kubeconfig(gate=gate)
        place = {"context": "rig", "kubeconfig": str(file), "namespace": namespace}
        self.own = KubernetesSettings.model_validate({**place, **own})
        self.settings = settings_of()
        self.number = 0

    @cached_property
    def api(self) -> Api:
        return Api(self.own)

    @cached_property
    def admin(self) -> Api:
        """Another connection, past the gate and with all rights."""
        return Api(self.own.model_copy(update={"kubeconfig": str(self.rig.kubeconfig())}))

    @cached_property
    def instances(self) -> Instances:
        return Instances(self.api, lambda revision: "shop")

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.api, self.instances)

    @property
    def readiness(self) -> Readiness:
        return Readiness(self.api, self.instances, self.logs, self.settings, self.own)

    def release(self, image: str = "v1", settings: Settings | None = None) -> Release:
        """The next one, of an image that is called so: the rig's nodes go by the name."""
        self.number += 1
        settings = settings or self.settings
        digest = "sha256:" + f"{self.number:064x}"
        reference = f"{REPOSITORY}-{image}@{digest}"
        images = {
            "main": ImageRef(config_digest=digest, manifest_digest=digest, reference=reference, platform="linux/amd64")
        }
        return Release(
            id=new_release_id(),
            number=self.number,
            fingerprint=fingerprint_of(images, settings, {}),
            images=images,
            settings=settings,
            target="kube",
            created=time.time(),
        )

    def render(self, release: Release, shape: Shape = "rolling") -> Rendered:
        return render(release, self.own, shape)

    def apply(self, release: Release, change: Callable[[dict[str, Any]], None] | None = None) -> Revision:
        """Everything of it; `change` may alter the Deployment before it is sent."""
        whole = self.render(release)
        for manifest in whole.manifests:
            body = identified(manifest, release).copied()
            if change is not None and manifest.key == whole.workload:
                change(body)
            self.admin.apply(Manifest(body).body, force=True)
        return Revision(name=revision_name("shop", release), release=release.id, number=release.number)

    def follow(self, revision: Revision) -> list[Progress]:
        """Every step, to the end."""
        steps, until = [], time.monotonic() + PATIENCE
        for step in self.readiness.follow(revision):
            steps.append(step)
            assert time.monotonic() < until, f"no end after {PATIENCE} s: {step.reason}"
        return steps

    def roll_out(self, image: str = "v1", settings: Settings | None = None) -> Progress:
        """Apply a release of this image, follow it, and the last step."""
        return self.follow(self.apply(self.release(image, settings)))[-1]

    def knowing(self, known: Callable[[list[dict[str, Any]]], bool]) -> AbstractContextManager[list[float]]:
        """When the API server first has pods of which `known` is true: seconds of the monotonic clock, one or none."""
        return first_time(lambda: known(list(self.admin.list(POD).items)))


def settings_of(service: str = "shop", environment: str = "production", **sections: Any) -> Settings:
    """Of the service "shop"; sections as in shipper.toml."""
    return Settings.model_validate(
        {
            "service": {"service": service, "environment": environment, "root": "/srv/shop"},
            "image": {"repository": REPOSITORY},
            **sections,
        }
    )
