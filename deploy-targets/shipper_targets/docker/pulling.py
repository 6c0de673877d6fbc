"""Pulling an image onto the engine: told as it goes on, and left when the run is cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shipper.model.context import Cancellation, Reporter
from shipper.targets import Transient
from shipper_targets.docker.engine import first_line, translated
from shipper_targets.docker.waiting import patiently

if TYPE_CHECKING:
    from docker import DockerClient


def pull(client: DockerClient, reference: str, report: Reporter | None, cancel: Cancellation | None) -> None:
    """Pull exactly `reference`, a name with a tag or a digest. Raises Transient, NotFound, Denied."""
    layers: dict[str, tuple[int, int]] = {}
    told: list[tuple[int, int]] = []

    def tell() -> None:
        done, total = (sum(numbers) for numbers in zip(*list(layers.values()) or [(0, 0)], strict=True))
        if report is not None and total and (done, total) not in told[-1:]:
            told.append((done, total))
            report.progress(f"pulling {reference}", done=done, total=total, unit="bytes")

    patiently(lambda: _pull(client, reference, layers), cancel, tell)


def _pull(client: DockerClient, reference: str, layers: dict[str, tuple[int, int]]) -> None:
    repository, tag = _parts(reference)
    with translated(f"pull {reference}"):
        for step in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in step:
                raise Transient(f"pull {reference}: {first_line(step['error'])}")
            _count(step, layers)


def _count(step: Mapping[str, Any], layers: dict[str, tuple[int, int]]) -> None:
    """Bytes of each layer; only downloads are counted, not the unpacking."""
    detail = step.get("progressDetail") or {}
    if step.get("status") == "Downloading" and detail.get("total"):
        layers[str(step.get("id"))] = (int(detail["current"]), int(detail["total"]))
    elif step.get("status") == "Download complete" and step.get("id") in layers:
        total = layers[step["id"]][1]
        layers[step["id"]] = (total, total)


def _parts(reference: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    repository, at, digest = reference.partition("@")
    if at:
        return repository, digest
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, "latest")
