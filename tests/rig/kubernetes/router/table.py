"""Where requests go, as data: hosts, the shares of their Services, and the servers that carry them (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LARGEST = 256
"""HAProxy's greatest weight."""


@dataclass(frozen=True)
class Endpoint:
    """A pod that takes requests now."""

    pod: str
    address: str
    port: int


@dataclass(frozen=True)
class Share:
    """A Service's part of a route. `found` False: there is no such Service, its part of the requests is 500."""

    service: str
    weight: int
    endpoints: Sequence[Endpoint] = ()
    found: bool = True


@dataclass(frozen=True)
class Route:
    """One host. `source` says whose it is, for people."""

    host: str
    shares: Sequence[Share]
    source: str = ""


@dataclass(frozen=True)
class Server:
    """A server of HAProxy's; `name` is pod:port:service, from which the answer's headers are taken."""

    name: str
    address: str
    port: int
    weight: int


def servers(route: Route, unavailable: Endpoint, broken: Endpoint) -> list[Server]:
    """The servers of a route: each share's weight is divided among its endpoints.

    A share without endpoints goes to `unavailable` (503), one without a Service to `broken` (500): the Gateway API.
    """
    parts: list[tuple[Share, Endpoint, float]] = []
    for share in route.shares:
        endpoints = share.endpoints or [unavailable if share.found else broken]
        parts += [(share, endpoint, share.weight / len(endpoints)) for endpoint in endpoints]
    largest = max((part for _, _, part in parts), default=0.0)
    merged: dict[str, Server] = {}
    for share, endpoint, part in parts:
        name = f"{endpoint.pod}:{endpoint.port}:{share.service}"
        weight = round(part / largest * LARGEST) if largest else 0
        merged[name] = Server(name, endpoint.address, endpoint.port, max(weight, 1) if part else 0)
    return list(merged.values())
