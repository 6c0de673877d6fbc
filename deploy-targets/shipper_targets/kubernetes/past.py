"""Earlier releases: whether they can come back, and how fast. Never writes."""

from __future__ import annotations

from collections.abc import Callable

from shipper.errors import ShipperError
from shipper.model import Release, Restorable
from shipper.targets import PlatformError
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import SECRET
from shipper_targets.kubernetes.kube_secrets import gone
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.preflight_parts import nothing_can_be_made
from shipper_targets.kubernetes.rollouts import release_in, state_of
from shipper_targets.kubernetes.secret_refs import parse_reference


def restorable(api: Api, found: Found, manifests: Manifests, release: Release) -> Restorable:
    """Warm while its own Deployment runs. Else it needs manifests, from its record or the configuration of then, and in
    both cases its secret values.

    Whether the image is still in its registry only nodes can tell: preflight of what pulls it is the rollout itself.
    """
    deployment = found.workload(revision_name(found.base, release))
    runs = (
        deployment is not None
        and release_in(deployment) == release.id
        and state_of(deployment, found.sets) == "running"
    )
    problems = [problem for problem in (_secret(api, one) for one in release.secret_versions.values()) if problem]
    if not runs and (nowhere := nothing_can_be_made(api)):
        return Restorable(warm=False, problems=nowhere)
    if not runs and manifests.recorded(release, found) is None:
        problems += _told(lambda: manifests.rendered(release, found))
    return Restorable(warm=runs and not problems, problems=tuple(dict.fromkeys(problems)))


def _secret(api: Api, version: str) -> str:
    return gone(api.find(SECRET, parse_reference(version).secret), version)


def _told(render: Callable[[], object]) -> list[str]:
    try:
        render()
    except (PlatformError, ShipperError) as error:
        return [f"there is no record of its manifests, and they cannot be rendered: {error}"]
    return []
