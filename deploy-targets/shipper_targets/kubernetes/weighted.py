"""One Deployment for each release: the Service's selector, or an HTTPRoute's weights, say which of them are asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from shipper.model import Release, Revision, Stamp, Traits
from shipper_targets.kubernetes.adapter import KubernetesTarget
from shipper_targets.kubernetes.names import Shape
from shipper_targets.kubernetes.writing_weighted import WeightedWriting


class WeightedTarget(KubernetesTarget):
    """Implements SplitsTraffic. Strategies: all-at-once, blue-green, and canary with a Gateway."""

    shape: Shape = "weighted"

    @property
    def traits(self) -> Traits:
        """A Deployment without traffic costs its memory, and its record is kept apart from it."""
        return super().traits.model_copy(update={"keeps_revisions": False})

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A Deployment with as many pods as what serves; the Service asks whom it asked."""
        self._refuse_unpermitted(release)
        with self._fence.telling():
            return self._writing.create(release, stamp, seen)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """The Service's selector; with a Gateway the HTTPRoute's weights, then the Service for clients inside."""
        with self._fence.telling():
            self._writing.shift(weights, stamp, seen)

    @cached_property
    def _writing(self) -> WeightedWriting:
        parts = (self._api, self._reading, self._fence, self._manifests, self._settings, self._own)
        return WeightedWriting(*parts, self._context.report, self._context.cancel)
