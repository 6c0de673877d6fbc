"""Drift: what we own on this host and somebody else changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model import Drift
from shipper_targets.docker.containers import Found
from shipper_targets.docker.proxy import Live
from shipper_targets.docker.render import State


def drift_of(
    live: Live | None, state: State | None, containers: Sequence[tuple[Found, Mapping[str, Any] | None]]
) -> tuple[Drift, ...]:
    """Weights and servers, the route, and the limits of the containers that serve.

    `containers` come with the engine's record where they serve. A proxy or container that does not run is no drift:
    the next write, or the engine, starts it. Nor is a container that is gone: a release is how it is mended, and
    must not be refused for it. `state` is what the next write goes on from: what was adopted, or put there by hand
    while our own file was lost, is in it and is no drift.
    """
    if live is None or live.state is None or state is None:
        return ()
    ours = {name: server.weight for name, server in state.servers.items()}
    found = [
        _drift(f"weight of {name}", ours.get(name, "absent"), live.weights.get(name, "absent"))
        for name in sorted({*ours, *live.weights})
    ]
    found.append(_drift("route", live.state.route, live.state.route if live.routed else "absent"))
    for container, record in containers:
        if record is not None:
            found += _limits(container, record["HostConfig"])
    return tuple(drift for drift in found if drift.ours != drift.found)


def _limits(container: Found, host: Mapping[str, Any]) -> list[Drift]:
    run = container.run
    return [
        _drift(f"memory of {container.revision}", run.memory or 0, host.get("Memory") or 0),
        _drift(f"cpu of {container.revision}", round((run.cpu or 0) * 1e9), host.get("NanoCpus") or 0),
    ]


def _drift(field: str, ours: object, found: object) -> Drift:
    return Drift(field=field, ours=str(ours), found=str(found))
