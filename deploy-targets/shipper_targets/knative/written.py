"""What we wrote last, or took over: one annotation on the Service, against which drift is found. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from shipper.model import Noun
from shipper_targets.knative.conditions import is_current, is_outdated
from shipper_targets.knative.kinds import CLUSTER_LOCAL, VISIBILITY
from shipper_targets.knative.marks import WRITTEN, annotation
from shipper_targets.kubernetes.values import Object, text

Scaling = dict[str, str]
"""The annotations of a revision that the autoscaler follows."""


class Written(Noun):
    """The fields of the Service that are ours, as our last write left them."""

    traffic: dict[str, int]
    newest: str = Field(description="The revision that the template made: somebody else's template makes another.")
    visibility: str = Field(default="public")
    epoch: int = Field(default=0, description="Of the run that wrote this.")
    scaling: dict[str, Scaling] = Field(
        default_factory=dict, description="Of revisions with traffic: as they were admitted, else as they were found."
    )


def written(service: Object, weights: Mapping[str, int], newest: str = "", epoch: int = 0) -> Written:
    """For a run's first write of this Service: it takes over what it finds. `newest` when the write makes one."""
    return Written(
        traffic=shares(weights), newest=newest or newest_of(service), visibility=visibility_of(service), epoch=epoch
    )


def carried(before: Written, weights: Mapping[str, int], newest: str = "") -> Written:
    """For a later write of the same run: what it does not write stays as we knew it, so that a hand's change since then
    is found.
    """
    return before.model_copy(update={"traffic": shares(weights), "newest": newest or before.newest})


def read_written(service: Object) -> Written | None:
    """None where nothing of ours can be read: then there is nothing to compare with."""
    try:
        return Written.model_validate_json(annotation(service, WRITTEN))
    except ValueError:
        return None


def newest_of(service: Object) -> str:
    """The revision that the template makes, or has made: by its own name, else by the platform's."""
    named = text(service, "spec", "template", "metadata", "name")
    if named or not is_current(service) or is_outdated(service):  # it needs a moment to name what has no name
        return named
    return text(service, "status", "latestCreatedRevisionName")


def visibility_of(service: Object) -> str:
    """public or cluster-local, as the Service's label says."""
    found = text(service, "metadata", "labels", VISIBILITY)
    return CLUSTER_LOCAL if found == CLUSTER_LOCAL else "public"


def shares(weights: Mapping[str, int]) -> dict[str, int]:
    """Sorted, without zeros: the same traffic is the same text."""
    return {name: weight for name, weight in sorted(weights.items()) if weight}
