"""What we wrote last, or took over: one annotation on the service, against which drift is found. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from google.cloud.run_v2 import IngressTraffic, ServiceScaling
from pydantic import Field

from shipper.model import Noun
from shipper_targets.cloudrun.marks import PREFIX
from shipper_targets.cloudrun.names import short_name

if TYPE_CHECKING:
    from google.cloud import run_v2

WRITTEN = PREFIX + "written"
UNTOLD = "unspecified"
"""What the API says of ingress while no revision is active."""


class Written(Noun):
    """The fields of the service that are ours, as our last write left them."""

    traffic: dict[str, int]
    newest: str = Field(description="The revision that the template made: somebody else's template makes another.")
    ingress: str
    public: bool
    least: int = Field(description="Instances.")
    manual: bool = Field(default=False, description="Scaling by hand: shipper never asks for it.")
    epoch: int = Field(default=0, description="Of the run that wrote this.")


def written(service: run_v2.Service, weights: Mapping[str, int], newest: str = "", epoch: int = 0) -> str:
    """The annotation for a run's first write of this service: it takes over what it finds.

    `newest` when the write makes a revision.
    """
    found = fields_of(service, weights, newest or short_name(service.latest_created_revision))
    return found.model_copy(update={"epoch": epoch}).model_dump_json()


def carried(before: Written, weights: Mapping[str, int], newest: str, changed: Mapping[str, Any]) -> str:
    """The same for a later write of the same run: only what this write changes is changed, so that what somebody did
    by hand meanwhile stays drift.
    """
    update = {"traffic": _shares(weights), "newest": newest or before.newest, **changed}
    return before.model_copy(update=update).model_dump_json()


def fields_of(service: run_v2.Service, weights: Mapping[str, int], newest: str) -> Written:
    """The same, as it is in the service."""
    return Written(
        traffic=_shares(weights),
        newest=newest,
        ingress=IngressTraffic(service.ingress).name.removeprefix("INGRESS_TRAFFIC_").lower().replace("_", "-"),
        public=service.invoker_iam_disabled,
        least=service.scaling.min_instance_count,
        manual=service.scaling.scaling_mode == ServiceScaling.ScalingMode.MANUAL,
    )


def read_written(service: run_v2.Service) -> Written | None:
    """None where nothing of ours can be read: then there is nothing to compare with."""
    try:
        return Written.model_validate_json(service.annotations.get(WRITTEN, ""))
    except ValueError:
        return None


def _shares(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in sorted(weights.items()) if weight}
