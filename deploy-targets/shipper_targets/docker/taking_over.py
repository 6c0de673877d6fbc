"""What is behind the proxy besides what our file says: adopted, lost, or left by a lost file. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from shipper.model import Revision, Settings
from shipper.targets import Retired
from shipper_targets.docker.render import Server, State, prefix_of, revision_named, weights_in_percent


def taken_over(
    settings: Settings,
    state: State | None,
    route: str,
    addresses: Mapping[str, str],
    weights: Mapping[str, int],
    routes: Mapping[str, str],
) -> State:
    """The state that the next write goes on from: the file's, or when that is lost what the proxy has.

    `addresses` and `weights` are the running proxy's servers, `routes` those of our revisions by name. While nothing
    was ever released here, a server that is not ours is adopted: it keeps its place and is a way back.
    """
    if state is not None and (state.stamp.highest or routes):
        return state
    base = state or State(route=route)
    more = {
        name: Server(
            address=address,
            weight=weights_in_percent(weights).get(name, 0),
            served=True,
            route=routes.get(name, route),
            adopted=name not in routes and not _looks_like_ours(settings, name),
        )
        for name, address in addresses.items()
        if name not in base.servers
    }
    return base.model_copy(update={"servers": {**base.servers, **more}})


def _looks_like_ours(settings: Settings, revision: str) -> bool:
    """Its container may be gone."""
    return re.fullmatch(rf"{re.escape(prefix_of(settings))}-[0-9]+-[0-9a-z]{{6}}", revision) is not None


def adopted(state: State | None, percent: Mapping[str, int]) -> tuple[Revision, ...]:
    """#0: what somebody else put behind our proxy before the first release."""
    servers = state.servers if state else {}
    return tuple(
        Revision(name=name, release=None, number=0, weight=percent.get(name, 0))
        for name, server in servers.items()
        if server.adopted
    )


def lost(
    settings: Settings, percent: Mapping[str, int], known: Collection[str], records: Iterable[tuple[int, str]]
) -> tuple[Revision, ...]:
    """What has traffic and is not there any more; its record (number, id) may still say which release it was."""
    releases = {revision_named(settings, number, release): (number, release) for number, release in records}
    return tuple(
        Revision(name=name, release=release, number=number, state="failed", weight=weight)
        for name, weight in percent.items()
        if name not in known
        for number, release in [releases.get(name, (None, None))]
    )


def leaving(state: State, names: Collection[str], to: Retired, there: Collection[str]) -> dict[str, Server]:
    """Which servers leave the proxy when these revisions are retired; one whose container is gone goes along."""

    def leaves(name: str, server: Server) -> bool:
        if name in names:
            return to == "removed" or (to == "stopped" and not server.adopted)
        return not (server.weight or server.adopted or name in there)

    return {name: server for name, server in state.servers.items() if leaves(name, server)}
