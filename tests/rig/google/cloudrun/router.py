"""Addresses on this machine for the rig's Cloud Run services, and the division of their requests.

Every service and every tag has a port on 127.0.0.1. A change of routes is the swap of one table: requests under way
end on the revision they began on, the next one goes by the new table. Answers never name the revision, as in the real
service. Based on https://cloud.google.com/run/docs/{rollouts-rollbacks-traffic-migration,securing/ingress,
authenticating/service-to-service,troubleshooting,quotas}.

What it gets wrong: plain HTTP/1.1 on a port for each name instead of TLS, HTTP/2 and host names; shares are exact
instead of random; every caller comes from outside the network; the change is instant, where the real one takes
seconds; custom audiences and session affinity are not known; answers may be larger than 32 MiB.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import h11

from tests.rig.google.cloudrun import router_pages
from tests.rig.google.cloudrun.contract import World
from tests.rig.google.cloudrun.instances_revision import NoInstance
from tests.rig.google.cloudrun.request_log import Exchange
from tests.rig.google.cloudrun.router_connection import Wire
from tests.rig.google.cloudrun.router_exchange import forward
from tests.rig.google.cloudrun.router_listener import Listener
from tests.rig.google.cloudrun.router_pages import Page
from tests.rig.google.cloudrun.router_table import NOWHERE, Table, Turns
from tests.rig.google.cloudrun.router_tokens import bearer, without_signature

LARGEST_REQUEST = 32 * 2**20  # bytes over HTTP/1, https://cloud.google.com/run/quotas


class Serving(Protocol):
    """What the router asks of instances."""

    def serving(self, revision: str) -> AbstractContextManager[tuple[str, int]]:
        """Where a request may go while it is under way; NoInstance when there is nowhere."""
        ...

    def timeout(self, revision: str) -> float:
        """The seconds that a request to it may take."""
        ...


def make(world: World, instances: Serving) -> LocalRouter:
    """A router that knows no service yet."""
    return LocalRouter(world, instances)


class LocalRouter:
    """The contract's Router."""

    def __init__(self, world: World, instances: Serving) -> None:
        self._world = world
        self._instances = instances
        self._services: dict[str, _Service] = {}
        self._lock = threading.Lock()

    def open(self, service: str) -> str:
        """The service's address; 404 until it is routed."""
        with self._lock:
            if service not in self._services:
                self._services[service] = _Service(service, self._world, self._instances)
            return self._services[service].address

    def route(
        self, service: str, weights: Mapping[str, int], tags: Mapping[str, str], *, invoker_check: bool, ingress: str
    ) -> Mapping[str, str]:
        """Route from now on; tag -> address. KeyError for a service that is not open."""
        internal = ingress not in ("", "INGRESS_TRAFFIC_UNSPECIFIED", "INGRESS_TRAFFIC_ALL")
        with self._lock:
            table = Table(Turns(weights), dict(tags), invoker_check, internal)
            return self._services[service].route(table)

    def close(self, service: str) -> None:
        """The service's addresses are gone; unknown names are fine."""
        with self._lock:
            found = self._services.pop(service, None)
        if found is not None:
            found.close()

    def shutdown(self) -> None:
        """Close everything."""
        with self._lock:
            names = list(self._services)
        for name in names:
            self.close(name)


class _Service:
    def __init__(self, name: str, world: World, instances: Serving) -> None:
        self._name = name
        self._world = world
        self._instances = instances
        self._table = NOWHERE
        self._listener = Listener(lambda *asked: self._answer(None, *asked))
        self._tags: dict[str, Listener] = {}
        self.address = self._listener.address

    def route(self, table: Table) -> Mapping[str, str]:
        for tag in table.tags:
            if tag not in self._tags:
                self._tags[tag] = Listener(lambda *asked, tag=tag: self._answer(tag, *asked))
        self._table = table
        for tag in set(self._tags) - set(table.tags):
            self._tags.pop(tag).close()
        return {tag: listener.address for tag, listener in self._tags.items()}

    def close(self) -> None:
        self._table = NOWHERE
        for listener in (self._listener, *self._tags.values()):
            listener.close()

    def _answer(self, tag: str | None, client: Wire, request: h11.Request, caller: str) -> Page | None:
        table = self._table
        if table.internal or not table.is_routed(tag):
            return router_pages.NOT_FOUND
        if table.invoker_check:
            checked = self._check(request)
            if isinstance(checked, Page):
                return checked
            request = checked
        if int(dict(request.headers).get(b"content-length", b"0")) > LARGEST_REQUEST:
            return router_pages.TOO_LARGE
        revision, at = table.choose(tag), time.time()
        answered = self._pass_on(revision, client, request, caller)
        status = answered.status if isinstance(answered, Page) else answered
        self._world.requests.add(revision, _exchange(request, caller, at, status))
        return answered if isinstance(answered, Page) else None

    def _pass_on(self, revision: str, client: Wire, request: h11.Request, caller: str) -> Page | int:
        """The status of the container's answer, or the page instead of one."""
        try:
            with self._instances.serving(revision) as address:
                return forward(client, request, address, caller, self._instances.timeout(revision))
        except NoInstance as error:
            return router_pages.BUSY if error.status == 429 else router_pages.UNAVAILABLE

    def _check(self, request: h11.Request) -> h11.Request | Page:
        """The request as the container may see it, or the refusal. Public services take any Authorization header."""
        if self._world.may_invoke(self._name, None):
            return request
        token = bearer(request)
        if token is None:
            return router_pages.FORBIDDEN
        member = self._world.invoker(token, self.address)
        if member is None:
            return router_pages.UNAUTHORIZED
        if not self._world.may_invoke(self._name, member):
            return router_pages.FORBIDDEN
        return without_signature(request)


def _exchange(request: h11.Request, caller: str, at: float, status: int) -> Exchange:
    """For the log: a request that came `at` and is answered now."""
    given = {name: value.decode("latin-1") for name, value in request.headers}
    return Exchange(
        at=at,
        seconds=time.time() - at,
        method=request.method.decode("latin-1"),
        url=f"http://{given[b'host']}{request.target.decode('latin-1')}",
        status=status,
        user_agent=given.get(b"user-agent", ""),
        caller=caller,
    )
