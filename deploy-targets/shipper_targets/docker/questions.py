"""Asking: one revision through the pin, the service as a client there would, a container on another port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shipper.model import HealthSettings, ProbeRequest, ProbeResponse, Revision
from shipper.model.context import Cancellation
from shipper.targets import NotFound, Transient
from shipper_targets.docker import asking
from shipper_targets.docker.containers import Containers, Found
from shipper_targets.docker.engine import is_local
from shipper_targets.docker.proxy import Proxy
from shipper_targets.docker.readiness import unready_because
from shipper_targets.docker.render import NO_SUCH_REVISION, PINNED, address_of
from shipper_targets.docker.settings import DockerSettings
from shipper_targets.docker.waiting import patiently

if TYPE_CHECKING:
    from docker import DockerClient

_REASONS = {503: "nothing listens on its port yet", 504: "no answer in time"}


class Questions:
    """Asks one service on one host. `route` is the host name that this run's settings give it."""

    def __init__(
        self,
        client: DockerClient,
        own: DockerSettings,
        route: str,
        proxy: Proxy,
        containers: Containers,
        cancel: Cancellation | None,
    ) -> None:
        self._client = client
        self._own = own
        self._route = route
        self._proxy = proxy
        self._containers = containers
        self._cancel = cancel
        self._token = ""

    def pinned(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Exactly this revision, whatever its weight. Raises NotFound when it is not behind the proxy, Transient."""
        pin = {"Host": self._route, "X-Shipper-Pin": revision.name, "X-Shipper-Token": self._pin_token()}
        url = address_of(self._own, self._route).url
        response = asking.over_the_port(url, request, pin) if is_local(self._client) else None
        if response is None or _not_about(revision, response):
            # Nothing of this host is at that port here: a socket that is forwarded from another machine.
            response = asking.from_bytes(self._raw(request, pin), request.method)
        if response.revision == revision.name:
            return response
        if response.body == NO_SUCH_REVISION:
            raise NotFound(f"{revision.name} is not behind the proxy")
        if _not_about(revision, response):
            self._token = ""  # of another proxy, made since: our pin was not believed
            raise Transient(f"answered by {response.revision or 'the proxy'} instead")
        raise Transient(_REASONS.get(response.status, "it closed the connection without an answer"))

    def inside(self, request: ProbeRequest, route: str) -> ProbeResponse:
        """The service, from inside the host's network, routed by weight. Raises Transient."""
        return asking.from_bytes(self._raw(request, {"Host": route}), request.method)

    def reaches(self, found: Found, port: int, health: HealthSettings) -> bool:
        """Whether the container answers its readiness path on another port."""
        networks = self._containers.inspect(found)["NetworkSettings"]["Networks"]
        request = ProbeRequest(path=health.path, timeout=min(health.timeout, 2.0))
        try:
            raw = self._proxy.ask(
                asking.as_bytes(request, {"Host": self._route}),
                request.timeout,
                host=networks[self._own.namespace]["IPAddress"],
                port=port,
            )
            return not unready_because(health, asking.from_bytes(raw, "GET"))
        except (Transient, NotFound):
            return False

    def _raw(self, request: ProbeRequest, headers: Mapping[str, str]) -> bytes:
        content = asking.as_bytes(request, headers)
        return patiently(lambda: self._proxy.ask(content, request.timeout), self._cancel)

    def _pin_token(self) -> str:
        if not self._token:
            live = self._proxy.read()
            if live is None or not live.running:
                raise Transient("the proxy is not running")
            self._token = live.token
        return self._token


def _not_about(revision: Revision, response: ProbeResponse) -> bool:
    """Whether the pin was not believed: another revision answered, or a proxy that saw no pin, or no proxy of ours."""
    if response.revision is not None:
        return response.revision != revision.name
    return not response.body.startswith(PINNED) and response.status not in (502, 504)
