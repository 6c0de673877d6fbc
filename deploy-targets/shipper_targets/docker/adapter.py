"""The docker target: one HAProxy per host, one container per revision, traffic by weight, nothing dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shipper.model import (
    Address,
    Dossier,
    Drift,
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
from shipper.targets import Conflict, Invalid, NotFound, PlatformError, TargetContext, Transient, retry_transient
from shipper.targets.diagnosis import diagnose
from shipper_targets.docker import images, render
from shipper_targets.docker.containers import Containers, Found
from shipper_targets.docker.engine import connect, translated
from shipper_targets.docker.preflight import problems_of
from shipper_targets.docker.proxy import ABSENT, Live, Proxy
from shipper_targets.docker.readiness import gather, has_ended, unready_because
from shipper_targets.docker.render import Server, State
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

TRAITS = Traits(strategies=("all-at-once",), weight_step=1, max_sharing=16, probes_revisions=True, needs_registry=False)
POLL = 0.1
REVISION_HEADER = "x-shipper-revision"


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
        self._start_errors: dict[str, str] = {}
        self._last_answer: dict[str, tuple[int | None, str]] = {}

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
        return problems_of(self._client, self._own, spec.settings, self.default_platform)

    def observe(self) -> Observation:
        """Weights as the running proxy balances, containers as the engine lists them."""
        live = retry_transient(self._proxy.read)
        found = retry_transient(self._containers.all)
        percent = render.weights_in_percent(live.weights) if live else {}
        revisions = tuple(container.as_revision(percent.get(container.revision, 0)) for container in found)
        known = {revision.name for revision in revisions}
        lost = tuple(
            Revision(name=name, release=None, state="failed", weight=weight)
            for name, weight in percent.items()
            if name not in known
        )
        return Observation(
            seen=live.version if live else ABSENT,
            serving=tuple(revision for revision in (*revisions, *lost) if revision.weight),
            revisions=revisions,
            highest=max((container.number for container in found), default=0),
            drift=_drift(live),
            capacity=1,
            address=self._address(),
        )

    def plan(self, release: Release, observation: Observation) -> Plan:
        """The difference to what serves, from its own labels."""
        main = observation.main
        serving = self._containers.named(main.name) if main else None
        return render.plan_of(release, observation, serving.labels if serving else None, self._own)

    def revisions(self) -> Sequence[Revision]:
        """Every container of this service, oldest first."""
        return self.observe().revisions

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """Our own health check, through the proxy and the pin; a container that ended can never heal."""
        started = time.monotonic()
        while True:
            step = self._look(revision, time.monotonic() - started)
            yield step
            if step.state != "waiting":
                return
            time.sleep(POLL)

    def diagnose(self, revision: Revision) -> Dossier:
        """Why it is not ready, from everything that can be found out now."""
        try:
            found = self._container(revision)
            return self._dossier(found, self._waited(found))
        except PlatformError as error:
            return Dossier(cause="unknown", reason=str(error))

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Ask exactly this revision, whatever its weight, through the guarded pin header."""
        import httpx

        live = self._proxy.read()
        if live is None:
            raise Transient("the proxy is not running")
        headers = {
            **request.headers,
            "Host": self._route,
            "X-Shipper-Pin": revision.name,
            "X-Shipper-Token": live.token,
        }
        try:
            with httpx.Client(timeout=request.timeout, trust_env=False) as http:
                answer = http.request(
                    request.method, self._address().url + request.path, headers=headers, content=request.body
                )
        except httpx.TimeoutException as error:
            raise Transient(f"no answer within {request.timeout:g} s") from error
        except httpx.HTTPError as error:
            raise Transient(f"no answer: {error}") from error
        names = answer.headers.get(REVISION_HEADER)
        return ProbeResponse(
            status=answer.status_code, headers=dict(answer.headers), body=answer.content, revision=names
        )

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """The container's output."""
        found = self._container(revision)
        return self._containers.follow(found, lines) if follow else iter(self._containers.logs(found, lines))

    def has(self, config_digest: str) -> str | None:
        """The engine's id of the image with this config digest, proved in both image stores."""
        return images.find(self._client, config_digest)

    def load(self, archive: Path) -> str:
        """Load a saved image."""
        return images.load(self._client, archive)

    # Writing

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A container with a fixed address behind the proxy, with weight 0."""
        del stamp  # the stamp's file comes with the ledger
        self._proxy.ensure()
        live = self._live(seen)
        name = render.revision_name(release)
        found = self._containers.named(name)
        known = [container.revision for container in self._containers.all()]
        address = self._proxy.reserve(live.version, name, known)
        if found is None:
            image = images.ensure(self._client, release.main)
            found = self._containers.create(release, image, address, self._context.secrets.run(), self._context.name)
        self._start_errors[name] = self._containers.start(found)
        state = self._state(live)
        server = state.servers.get(name) or Server(address=f"{address}:{release.settings.run.port}")
        self._apply(live, state.model_copy(update={"servers": {**state.servers, name: server}}))
        return self._container_revision(name)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """One exec: files, map and weights. What is in flight on the old ones ends there."""
        del stamp
        if weights and sum(weights.values()) != 100:
            raise Invalid(f"weights sum to {sum(weights.values())}, not to 100")
        live = self._live(seen)
        servers = dict(self._state(live).servers)
        for name in weights:
            if name not in servers:
                servers[name] = self._warm(name)
        shifted = {
            name: server.model_copy(
                update={"weight": weights.get(name, 0), "served": server.served or weights.get(name, 0) > 0}
            )
            for name, server in servers.items()
        }
        self._apply(live, self._state(live).model_copy(update={"servers": shifted}))

    def retire(self, revisions: Sequence[Revision], to: Literal["stopped", "removed"], seen: str) -> None:
        """Drain, leave the proxy, then what `keep` says for a stopped one; a removed one is gone.

        A revision that is not there any more is no error; one that has traffic is Invalid.
        """
        if not revisions or seen == ABSENT:
            self._end([revision.name for revision in revisions], to, {})
            return
        live = self._live(seen)
        state = self._state(live)
        names = [revision.name for revision in revisions]
        busy = [name for name in names if name in state.servers and state.servers[name].weight]
        if busy:
            raise Invalid(f"{', '.join(busy)} has traffic")
        leaving = {name: state.servers[name] for name in names if name in state.servers}
        if served := [name for name, server in leaving.items() if server.served]:
            self._proxy.drain(served, self._settings.rollout.drain)
        if leaving:
            rest = {name: server for name, server in state.servers.items() if name not in leaving}
            self._apply(live, state.model_copy(update={"servers": rest}))
        self._end(names, to, leaving)

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The version goes on, so that an older `seen` is refused from now on."""
        del stamp
        live = self._live(seen)
        self._apply(live, self._state(live))

    def remove(self) -> None:
        """Containers, secrets, addresses and the slot; the proxy, too, when this was the last service."""
        live = self._proxy.read()
        if live is not None and live.state is not None:
            self._proxy.apply(live.version, _epoch(live), State(route=self._route), remove=True)
        found = self._containers.all()
        for container in found:
            self._containers.remove(container)
        self._containers.sweep_secrets()
        if self._proxy.running():
            self._proxy.free([container.revision for container in found])
            if self._proxy.services() == 0:
                self._proxy.remove()

    # What these are made of

    @cached_property
    def _client(self) -> DockerClient:
        with self._connecting:
            return connect(self._own.host)

    @cached_property
    def _proxy(self) -> Proxy:
        return Proxy(self._client, self._own, self._key)

    @cached_property
    def _containers(self) -> Containers:
        service = self._settings.service
        return Containers(self._client, self._own, service.service, service.environment)

    def _address(self) -> Address:
        reach = "public" if self._own.bind == "0.0.0.0" else "local"  # noqa: S104 - compared, not bound
        near = "127.0.0.1" if reach == "public" else self._own.bind
        return Address(url=f"http://{near}:{self._own.port}", host=self._route, reach=reach)

    def _live(self, seen: str) -> Live:
        """What is there now, if it is what was seen."""
        live = self._proxy.read()
        if live is None:
            raise Transient("the proxy is not running")
        fresh = seen == ABSENT and live.version == "0 0"
        if not fresh and live.version != seen:
            raise Conflict(f"version {seen} was seen, {live.version} is there")
        return live

    def _state(self, live: Live) -> State:
        return (live.state or State(route=self._route)).model_copy(update={"route": self._route})

    def _apply(self, live: Live, state: State) -> None:
        self._proxy.apply(live.version, _epoch(live), state)

    def _warm(self, name: str) -> Server:
        """A revision that stayed without being behind the proxy: its container still has its address."""
        found = self._containers.named(name)
        if found is None:
            raise NotFound(f"{name} is not there any more")
        networks = self._containers.inspect(found)["NetworkSettings"]["Networks"]
        address = networks[self._own.namespace]["IPAddress"]
        if not address:
            raise Invalid(f"{name} does not run")
        return Server(address=f"{address}:{self._settings.run.port}", served=True)

    def _end(self, names: Sequence[str], to: str, leaving: Mapping[str, Server]) -> None:
        ended = []
        for name in names:
            found = self._containers.named(name)
            if found is None:
                continue
            keep = "none" if to == "removed" else self._own.keep
            if keep == "running":
                continue
            if name not in leaving or leaving[name].served:
                self._containers.stop(found, self._settings.run.stop_grace)
            if keep == "none":
                self._containers.remove(found)
                ended.append(name)
        if ended and self._proxy.running():
            self._proxy.free(ended)
            self._containers.sweep_secrets()

    def _container(self, revision: Revision) -> Found:
        found = self._containers.named(revision.name)
        if found is None:
            raise NotFound(f"the container of {revision.name} is not there any more")
        return found

    def _container_revision(self, name: str) -> Revision:
        found = self._containers.named(name)
        if found is None:
            raise NotFound(f"the container of {name} is not there any more")
        return found.as_revision(0)

    def _look(self, revision: Revision, waited: float) -> Progress:
        found = self._containers.named(revision.name)
        if found is None:
            gone = Dossier(cause="removed", reason="its container was removed by somebody else")
            return Progress(state="failed", reason=gone.reason, dossier=gone)
        record = self._containers.inspect(found)
        if has_ended(record) or self._start_errors.get(revision.name) or record["State"].get("OOMKilled"):
            dossier = self._dossier(found, waited)
            return Progress(state="failed", reason=dossier.reason, dossier=dossier)
        return self._ask(revision)

    def _ask(self, revision: Revision) -> Progress:
        health = self._settings.health
        try:
            response = self.probe(revision, ProbeRequest(path=health.path, timeout=health.timeout))
        except Transient as error:
            self._last_answer[revision.name] = (None, str(error))
            return Progress(state="waiting", reason=str(error))
        if response.revision != revision.name:
            # The proxy's own words: nothing answers behind the pin yet.
            self._last_answer[revision.name] = (None, "connection refused")
            return Progress(state="waiting", reason="nothing answers yet")
        problem = unready_because(health, response)
        self._last_answer[revision.name] = (response.status, problem)
        return Progress(state="waiting", reason=problem) if problem else Progress(state="ready")

    def _dossier(self, found: Found, waited: float | None) -> Dossier:
        status, problem = self._last_answer.get(found.revision, (None, ""))
        facts = gather(
            self._containers,
            found,
            self._containers.inspect(found),
            self._settings.run,
            self._settings.health,
            start_error=self._start_errors.get(found.revision, ""),
            last_status=status,
            problem=problem,
            waited=waited,
            engine_platform=self.default_platform,
        )
        return diagnose(facts)

    def _waited(self, found: Found) -> float:
        return max(0.0, time.time() - float(found.labels[render.LABEL + "created"]))


def _epoch(live: Live) -> int:
    return int(live.version.split()[1])


def _drift(live: Live | None) -> tuple[Drift, ...]:
    """Where the running proxy is not as our files say: somebody used its admin socket."""
    if live is None or live.state is None:
        return ()
    ours = {name: server.weight for name, server in live.state.servers.items()}
    return tuple(
        Drift(
            field=f"weight of {name}", ours=str(ours.get(name, "absent")), found=str(live.weights.get(name, "absent"))
        )
        for name in sorted({*ours, *live.weights})
        if ours.get(name) != live.weights.get(name)
    )
