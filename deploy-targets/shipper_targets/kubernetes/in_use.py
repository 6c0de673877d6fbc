"""Which releases are in use, and must not go whoever asks. Pure."""

from __future__ import annotations

from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.observing import waits_for, weights_of
from shipper_targets.kubernetes.rollouts import release_in


def in_use(found: Found) -> set[str]:
    """Releases that have traffic, that a Deployment is being brought to, or that its pods are still of."""
    weights = weights_of(found)
    releases = {release_in(one) for one in found.deployments if weights.get(found.named_after_release(one))}
    releases |= {record.release for record in found.records if weights.get(record.revision)}
    # A route's traffic and the Service's may be apart for a moment: clients inside ask the Service.
    selected = found.deployment(found.selected(found.service)) if found.service is not None else None
    releases |= {release_in(selected)} if selected is not None else set()
    rolling = found.rolling
    if rolling is not None and (found.shape == "rolling" or waits_for(found) is not None):
        releases.add(release_in(rolling))
    return releases
