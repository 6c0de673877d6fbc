"""Brings HAProxy from the routes that it has to those that are wanted, without losing a request.

New servers come before the host that needs them; a server that goes is drained first, and removed when its last request
is answered. HAProxy's commands say errors in words, so that every answer is read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.rig.kubernetes.router.haproxy import MAP, SLOTS, HAProxy, slot
from tests.rig.kubernetes.router.table import Endpoint, Route, Server, servers

log = logging.getLogger(__name__)

_FINE = ("", "New server registered.", "Server deleted.")


@dataclass
class _Slot:
    backend: str
    servers: dict[str, Server] = field(default_factory=dict)
    draining: dict[str, Server] = field(default_factory=dict)


class Programme:
    """`unavailable` and `broken` answer for Services without endpoints, and for those that are not there."""

    def __init__(self, haproxy: HAProxy, unavailable: Endpoint, broken: Endpoint) -> None:
        self._haproxy, self._unavailable, self._broken = haproxy, unavailable, broken
        self._slots: dict[str, _Slot] = {}
        self._free = [_Slot(slot(number)) for number in reversed(range(SLOTS))]
        self._full: set[str] = set()

    def apply(self, routes: Iterable[Route]) -> None:
        """Make these the routes; of two for one host the first counts."""
        wanted: dict[str, Route] = {}
        for route in routes:
            wanted.setdefault(route.host.lower(), route)
        for host in [host for host in self._slots if host not in wanted]:
            self._say(f"del map {MAP} {host}")
            gone = self._slots.pop(host)
            self._serve(gone, {})
            self._free.insert(0, gone)  # taken last: its requests may still be under way
        for host, route in wanted.items():
            servers_now = {one.name: one for one in servers(route, self._unavailable, self._broken)}
            if host in self._slots:
                self._serve(self._slots[host], servers_now)
            elif self._free:
                self._slots[host] = taken = self._free.pop()
                self._serve(taken, servers_now)
                self._say(f"add map {MAP} {host} {taken.backend}")
            elif host not in self._full:
                self._full.add(host)
                log.error("no slot is free for %s (%s)", host, route.source)

    def sweep(self) -> bool:
        """Remove drained servers that have no request left; whether some are still draining."""
        left = False
        for one in [*self._slots.values(), *self._free]:
            if one.draining:
                self._remove_idle(one)
                left = left or bool(one.draining)
        return left

    def shown(self) -> list[dict[str, object]]:
        """What is programmed, for people and tests."""
        return [
            {"host": host, "servers": {server.name: server.weight for server in one.servers.values()}}
            for host, one in self._slots.items()
        ]

    def _serve(self, one: _Slot, wanted: dict[str, Server]) -> None:
        for name, server in wanted.items():
            there = one.servers.get(name)
            where = f"{one.backend}/{name}"
            if there is None and name in one.draining:
                del one.draining[name]
                self._say(f"set server {where} weight {server.weight}", f"set server {where} state ready")
            elif there is None:
                self._say(f"add server {where} {server.address}:{server.port} weight {server.weight}")
                self._say(f"enable server {where}")
            elif there.weight != server.weight:
                self._say(f"set server {where} weight {server.weight}")
            one.servers[name] = server
        for name in [name for name in one.servers if name not in wanted]:
            one.draining[name] = one.servers.pop(name)
            self._say(f"set server {one.backend}/{name} state drain")

    def _remove_idle(self, one: _Slot) -> None:
        shown = self._haproxy.ask(f"show servers conn {one.backend}")
        busy = {words[0].partition("/")[2] for words in _rows(shown) if int(words[6]) > 0}
        for name in [name for name in one.draining if name not in busy]:
            where = f"{one.backend}/{name}"
            said = self._haproxy.ask(f"set server {where} state maint", f"del server {where}").strip()
            if said in _FINE:
                del one.draining[name]

    def _say(self, *commands: str) -> None:
        said = self._haproxy.ask(*commands).strip()
        if said not in _FINE:
            log.error("HAProxy on %s: %s", " ; ".join(commands), said)


def _rows(shown: str) -> list[list[str]]:
    """The lines of `show servers conn`: bkname/svname bkid/svid addr port - purge_delay used_cur …"""
    return [line.split() for line in shown.splitlines() if line and not line.startswith("#")]
