"""The docker target: one HAProxy per host, one container per revision, traffic by weight, nothing dropped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.model import (
    Dossier,
    HealthSettings,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Release,
    Revision,
    Stamp,
    TargetSpec,
    Traits,
)
from shipper.targets import Conflict, Denied, Invalid, NotFound, Retired, TargetContext, Transient, retry_transient
from shipper_targets.docker import asking, images, render
from shipper_targets.docker.containers import Containers, Found
from shipper_targets.docker.drift import drift_of
from shipper_targets.docker.engine import connect, is_local, translated
from shipper_targets.docker.host import Host
from shipper_targets.docker.preflight import problems_of
from shipper_targets.docker.proxy import ABSENT, Live, Proxy
from shipper_targets.docker.readiness import Readiness, unready_because
from shipper_targets.docker.render import Server, State
from shipper_targets.docker.secret_volumes import SecretVolumes
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

TRAITS = Traits(
    strategies=("all-at-once", "blue-green", "canary", "recreate"),
    weight_step=1,
    max_sharing=16,
    probes_revisions=True,
    needs_registry=False,
    holds_lock=True,
)


class DockerTarget:
    """Implements SplitsTraffic, Probes, StreamsLogs, StoresImages and Diagnoses for one service on one host."""

    kind = "docker"
    traits = TRAITS

    def __init__(self, context: TargetContext, own: DockerSettings) -> None:
        self._context = context
        self._own = own
        self._settings = context.settings
        self._key = render.key_of(context.settings)
        self._route = render.route_of(context.settings, own)
        self._connecting = threading.Lock()
        self._token = ""

    # Reading

    @cached_property
    def default_platform(self) -> str:
        """The engine's own, such as "linux/amd64"."""
        if self._own.platform is not None:
            return self._own.platform
        with translated("ask the engine for its platform"):
            version = self._client.api.version()
        return f"{version['Os']}/{version['Arch']}"

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Engine, platform, capacity, volumes, route, port and proxy image."""
        hint = "start it, or set DOCKER_HOST or host = …; `docker info` shows what the docker command sees"
        try:
            return problems_of(self._client, self._own, spec.settings, self.default_platform)
        except Denied as error:
            return [Problem(code=32, key="targets.host", message=str(error), hint="join the group of the socket")]
        except Transient as error:
            return [Problem(code=33, key="targets.host", message=str(error), hint=hint)]

    def observe(self) -> Observation:
        """Weights as the running proxy balances, containers as the engine lists them.

        A proxy that does not run is started by the next write and then balances as its files say: these are shown.
        """
        live = retry_transient(self._proxy.read)
        found = retry_transient(self._containers.all)
        state = live.state if live else None
        percent = render.weights_in_percent(live.weights) if live else {}
        revisions = tuple(container.as_revision(percent.get(container.revision, 0)) for container in found)
        known = {revision.name for revision in revisions}
        lost = tuple(
            Revision(name=name, release=None, state="failed", weight=weight)
            for name, weight in percent.items()
            if name not in known
        )
        stamp = state.stamp if state else Stamp()
        return Observation(
            seen=live.version if live else ABSENT,
            serving=tuple(revision for revision in (*revisions, *lost) if revision.weight),
            revisions=revisions,
            stamp=stamp,
            highest=max([stamp.highest, *(container.number for container in found)]),
            drift=drift_of(live, [(container, self._record(container, percent)) for container in found]),
            capacity=1,
            address=render.address_of(self._own, state.route if state else self._route),
        )

    def plan(self, release: Release, observation: Observation) -> Plan:
        """The difference to what serves, from its own labels."""
        main = observation.main
        serving = self._containers.named(main.name) if main else None
        remark = self._host.remark()
        labels = serving.labels if serving else None
        return render.plan_of(release, observation, labels, self._own, (remark,) if remark else ())

    def revisions(self) -> Sequence[Revision]:
        """Every container of this service, oldest first."""
        return self.observe().revisions

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """Our own health check, through the proxy and the pin; a container that ended can never heal."""
        return self._readiness.follow(revision)

    def diagnose(self, revision: Revision) -> Dossier:
        """Why it is not ready, from everything that can be found out now."""
        return self._readiness.diagnose(revision)

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Ask exactly this revision, whatever its weight, through the guarded pin header.

        Raises NotFound when it is not behind the proxy, Transient when it gives no answer.
        """
        pin = {"Host": self._route, "X-Shipper-Pin": revision.name, "X-Shipper-Token": self._pin_token()}
        url = render.address_of(self._own, self._route).url
        response = asking.over_the_port(url, request, pin) if is_local(self._client) else None
        if response is None or _not_about(revision, response):
            # Nothing of this host is at that port here: a socket that is forwarded from another machine.
            raw = self._proxy.ask(asking.as_bytes(request, pin), request.timeout)
            response = asking.from_bytes(raw, request.method)
        if response.revision == revision.name:
            return response
        if response.body == render.NO_SUCH_REVISION:
            raise NotFound(f"{revision.name} is not behind the proxy")
        if _not_about(revision, response):
            self._token = ""  # of another proxy, made since: our pin was not believed
            raise Transient(f"answered by {response.revision or 'the proxy'} instead")
        reasons = {503: "nothing listens on its port yet", 504: "no answer in time"}
        raise Transient(reasons.get(response.status, "it closed the connection without an answer"))

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """The container's output."""
        found = self._container(revision.name)
        return self._containers.follow(found, lines) if follow else iter(self._containers.logs(found, lines))

    def has(self, config_digest: str) -> str | None:
        """The engine's id of the image with this config digest, proved in both image stores."""
        return images.find(self._client, config_digest)

    def load(self, archive: Path) -> str:
        """Load a saved image."""
        return images.load(self._client, archive)

    # Writing

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A container with a fixed address behind the proxy, with weight 0. The old route stays until the shift."""
        self._host.ensure()
        live = self._expected(seen, stamp)
        name = render.revision_name(release)
        there = {container.revision: container for container in self._containers.all()}
        octet = self._proxy.reserve(live, name, there)
        address = self._host.address(octet)
        found = there.get(name) or self._make(release, address)
        state = self._state(live, stamp)
        server = state.servers.get(name) or Server(
            address=f"{address}:{release.settings.run.port}", route=render.route_of(release.settings, self._own)
        )
        if found.status == "exited" and not server.weight:
            self._containers.keep_up(found, always=False)  # as for a new one: if it crashes, it stays as it ended
        self._readiness.start(found)
        self._proxy.apply(live, stamp.epoch, state.model_copy(update={"servers": {**state.servers, name: server}}))
        return self._container(name).as_revision(0)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """One exec: files, map and weights. What is in flight on the old ones ends there."""
        if weights and sum(weights.values()) != 100:
            raise Invalid(f"weights sum to {sum(weights.values())}, not to 100")
        live = self._running(seen, stamp)
        state = self._state(live, stamp)
        warm = {name: self._warm(name) for name, weight in weights.items() if weight and name not in state.servers}
        for name in (name for name, weight in weights.items() if weight):
            if (found := self._containers.named(name)) is not None:
                self._containers.keep_up(found, always=True)
        state = state.model_copy(update={"servers": {**state.servers, **warm}})
        self._proxy.apply(live, stamp.epoch, render.shifted(state, weights))

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """Drain, leave the proxy, then: a warm one runs on, a stopped one is stopped, a removed one is gone.

        A revision that is not there any more is no error; one that has traffic is Invalid.
        """
        names = [revision.name for revision in revisions]
        if not revisions or seen == ABSENT:
            self._end(names, to, {})
            return
        live = self._running(seen, stamp)
        state = self._state(live, stamp)
        leaving = {name: state.servers[name] for name in names if name in state.servers}
        if busy := [name for name, server in leaving.items() if server.weight]:
            raise Invalid(f"{', '.join(busy)} has traffic")
        if served := [name for name, server in leaving.items() if server.served]:
            self._proxy.drain(served, self._settings.rollout.drain)
        if leaving:
            rest = {name: server for name, server in state.servers.items() if name not in leaving}
            self._proxy.apply(live, stamp.epoch, state.model_copy(update={"servers": rest}))
        self._end(names, to, leaving)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone; the version goes on, so that an older `seen` is refused from now on."""
        live = self._running(seen, stamp)
        self._proxy.apply(live, stamp.epoch, self._state(live, stamp))

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Containers, secrets, addresses and the slot; the proxy, too, when this was the last service."""
        present = self._host.present()
        if present:
            self._host.ensure()
            live = self._proxy.read()
            if live is not None and live.state is not None:
                self._proxy.apply(live, live.epoch, render.shifted(live.state, {}))
                self._proxy.drain(list(live.state.servers), self._settings.rollout.drain)
            self._proxy.leave()
        for found in self._containers.all():
            self._containers.remove(found)
        self._secrets.sweep()
        if present and self._proxy.close():
            self._host.remove()

    # What these are made of

    @cached_property
    def _client(self) -> DockerClient:
        with self._connecting:
            return connect(self._own.host)

    @cached_property
    def _proxy(self) -> Proxy:
        return Proxy(self._client, self._own, self._key)

    @cached_property
    def _host(self) -> Host:
        return Host(self._client, self._own, self._proxy)

    @cached_property
    def _containers(self) -> Containers:
        service = self._settings.service
        return Containers(self._client, self._own, service.service, service.environment)

    @cached_property
    def _secrets(self) -> SecretVolumes:
        service = self._settings.service
        return SecretVolumes(self._client, self._own.namespace, service.service, service.environment)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(self._containers, self.probe, self._reaches, lambda: self.default_platform)

    def _pin_token(self) -> str:
        if not self._token:
            live = self._proxy.read()
            if live is None or not live.running:
                raise Transient("the proxy is not running")
            self._token = live.token
        return self._token

    def _reaches(self, found: Found, port: int, health: HealthSettings) -> bool:
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

    def _expected(self, seen: str, stamp: Stamp) -> Live:
        """What is there now, if it is what was seen and nobody with a higher epoch was here."""
        live = self._proxy.read()
        if live is None:
            raise Conflict("what was seen on this host is gone")
        if live.version != seen and not (seen == ABSENT and live.fresh):
            raise Conflict(f"version {seen} was seen, {live.version} is there")
        if stamp.epoch < live.epoch:
            raise Conflict(f"epoch {stamp.epoch} was overtaken by epoch {live.epoch}")
        return live

    def _running(self, seen: str, stamp: Stamp) -> Live:
        """The same, with a proxy that runs."""
        live = self._expected(seen, stamp)
        if live.running:
            return live
        self._host.ensure()
        return self._expected(seen, stamp)

    def _state(self, live: Live, stamp: Stamp | None = None) -> State:
        state = live.state or State(route=self._route)
        return state if stamp is None else state.model_copy(update={"stamp": stamp})

    def _make(self, release: Release, address: str) -> Found:
        image = images.ensure(self._client, release.main)
        volume = self._secrets.ensure(
            image, release.settings.run.user, self._context.secrets.run(), release.secret_versions
        )
        return self._containers.create(release, image, address, volume, self._context.name)

    def _warm(self, name: str) -> Server:
        """A revision that stayed without being behind the proxy: its container still has its address."""
        found = self._container(name)
        networks = self._containers.inspect(found)["NetworkSettings"]["Networks"]
        address = networks[self._own.namespace]["IPAddress"]
        if not address:
            raise Invalid(f"{name} does not run")
        return Server(address=f"{address}:{found.run.port}", served=True, route=found.labels[render.LABEL + "route"])

    def _end(self, names: Sequence[str], to: Retired, leaving: Mapping[str, Server]) -> None:
        found = [container for container in self._containers.all() if container.revision in names]
        if to == "warm" or not found:
            return
        for container in found:
            name = container.revision
            if name not in leaving or leaving[name].served:
                self._containers.stop(container, container.run.stop_grace)
            if to == "removed":
                self._containers.remove(container)
        if to == "removed":
            self._secrets.sweep()
            self._proxy.free([container.revision for container in found])

    def _container(self, name: str) -> Found:
        found = self._containers.named(name)
        if found is None:
            raise NotFound(f"the container of {name} is not there any more")
        return found

    def _record(self, found: Found, percent: Mapping[str, int]) -> dict[str, object] | None:
        if percent.get(found.revision):
            with contextlib.suppress(NotFound):  # removed since it was listed
                return dict(self._containers.inspect(found))
        return None


def _not_about(revision: Revision, response: ProbeResponse) -> bool:
    """Whether the pin was not believed: another revision answered, or a proxy that saw no pin, or no proxy of ours."""
    if response.revision is not None:
        return response.revision != revision.name
    return not response.body.startswith(render.PINNED) and response.status not in (502, 504)
