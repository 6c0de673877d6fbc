"""Instances of a service as a whole.

Source: the descriptions of ServiceScaling, and run/docs/configuring/manual-scaling.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.cloud import run_v2


def scaling_violations(service: run_v2.Service) -> Iterator[tuple[str, str]]:
    scaling = service.scaling
    lowest, highest = scaling.min_instance_count, scaling.max_instance_count
    if lowest < 0 or highest < 0:
        yield "scaling", "instance counts must not be negative"
    if highest and lowest > highest:
        yield "scaling.min_instance_count", f"{lowest} is more than max_instance_count {highest}"
    manual = scaling.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL
    if manual and "manual_instance_count" not in scaling:
        yield "scaling.manual_instance_count", "must be set in manual scaling mode"
    if not manual and scaling.manual_instance_count:
        yield "scaling.manual_instance_count", "can be set in manual scaling mode only"


def revision_scaling_violations(template: run_v2.RevisionTemplate) -> Iterator[tuple[str, str]]:
    scaling = template.scaling
    if scaling.min_instance_count < 0 or scaling.max_instance_count < 0:
        yield "template.scaling", "instance counts must not be negative"
    if scaling.max_instance_count and scaling.min_instance_count > scaling.max_instance_count:
        yield (
            "template.scaling.min_instance_count",
            f"{scaling.min_instance_count} is more than max_instance_count {scaling.max_instance_count}",
        )
