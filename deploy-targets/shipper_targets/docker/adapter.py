"""The docker target: one HAProxy per host, one container per revision, traffic by weight, nothing dropped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.model import (
    Dossier,
    Garbage,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Release,
    Restorable,
    Revision,
    Stamp,
    TargetSpec,
    Traffic,
    Traits,
)
from shipper.targets import (
    Conflict,
    Denied,
    Invalid,
    NotFound,
    PlatformError,
    Retired,
    TargetContext,
    Transient,
    retry_transient,
)
from shipper_targets.docker import images, render
from shipper_targets.docker.cleaning import Cleaning
from shipper_targets.docker.containers import Containers, Found
from shipper_targets.docker.counting import traffic_of
from shipper_targets.docker.drift import drift_of
from shipper_targets.docker.engine import connect, machine_of, translated
from shipper_targets.docker.host import Host
from shipper_targets.docker.once import Once
from shipper_targets.docker.past import Past
from shipper_targets.docker.preflight import problems_of
from shipper_targets.docker.proxy import ABSENT, Live, Proxy
from shipper_targets.docker.pulling import pull
from shipper_targets.docker.questions import Questions
from shipper_targets.docker.readiness import Readiness
from shipper_targets.docker.records import record_name, record_of
from shipper_targets.docker.render import Server, State
from shipper_targets.docker.secret_volumes import SecretVolumes
from shipper_targets.docker.settings import DockerSettings
from shipper_targets.docker.taking_over import adopted, lost, taken_over
from shipper_targets.docker.taking_over import leaving as leaving_of

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
    """Implements SplitsTraffic for one service on one host, and every optional power that docker can have."""

    kind = "docker"
    traits = TRAITS

    def __init__(self, context: TargetContext, own: DockerSettings) -> None:
        self._context = context
        self._own = own
        self._settings = context.settings
        self._key = render.key_of(context.settings)
        self._route = render.route_of(context.settings, own)
        self._connecting = threading.Lock()

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
        A lost state file costs the stamp, not what serves: proxy, containers and records tell that.
        """
        live = retry_transient(self._proxy.read)
        found = retry_transient(self._containers.all)
        percent = render.weights_in_percent(live.weights) if live else {}
        state = self._state(live, found) if live else None
        stamp = state.stamp if state else Stamp()
        records = live.records if live else ()
        revisions = (*adopted(state, percent), *(each.as_revision(percent.get(each.revision, 0)) for each in found))
        gone = lost(self._settings, percent, {revision.name for revision in revisions}, records)
        containers = [(container, self._record(container, percent)) for container in found]
        return Observation(
            seen=live.version if live else ABSENT,
            serving=tuple(revision for revision in (*revisions, *gone) if revision.weight),
            revisions=revisions,
            stamp=stamp.model_copy(update={"epoch": max(stamp.epoch, live.epoch if live else 0)}),
            highest=max([stamp.highest, *(each.number for each in found), *(number for number, _ in records)]),
            drift=drift_of(live, state, containers),
            capacity=1,
            address=render.address_of(self._own, state.route if state else self._route, machine_of(self._client)),
        )

    def records(self) -> Sequence[Release]:
        """From the host's files; a container whose record is lost still tells how it runs."""
        return self._past.records()

    def restorable(self, release: Release) -> Restorable:
        """Its container, else its image (here, or in the registry by digest) and its volume of secret values."""
        return self._past.restorable(release)

    def secret_key(self) -> bytes | None:
        """From the host's state volume."""
        return retry_transient(self._proxy.secret_key)

    def make_secret_key(self) -> bytes:
        """Made once under the host's lock. Network, volume and proxy are made when they are not there."""
        self._host.ensure()
        return self._proxy.make_secret_key()

    def measure(self) -> Mapping[str, Traffic]:
        """One exec. Counting begins anew with the proxy's restart or reload, and where a server leaves it."""
        return traffic_of(self._proxy.counters())

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """From inside the host's network, by the host name that routes here now."""
        live = self._proxy.read()
        return self._questions.inside(request, live.state.route if live and live.state else self._route)

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
        return self._questions.pinned(revision, request)

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """The container's output."""
        found = self._container(revision.name)
        return self._containers.follow(found, lines) if follow else iter(self._containers.logs(found, lines))

    def has(self, config_digest: str) -> str | None:
        """The engine's id of the image with this config digest, proved in both image stores."""
        return images.find(self._client, config_digest)

    def load(self, archive: Path, sent: Callable[[int], None] | None = None) -> str:
        """Load a saved image, proved by its config digest in both image stores."""
        return images.load(self._client, archive, sent)

    def run_once(self, release: Release, command: Sequence[str]) -> int:
        """In a container beside the service, on its network, with its environment, secrets, volumes and limits."""
        self._host.ensure()
        image = self._image(release)
        user, versions = release.settings.run.user, release.secret_versions
        once = Once(self._client, self._own.namespace, self._key, self._context.report, self._context.cancel)
        with self._secrets.filled(image, user, lambda: self._past.values(release), versions) as volume:
            return once.run(release, image, command, volume)

    # Writing

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A container with a fixed address behind the proxy, with weight 0. The old route stays until the shift."""
        self._host.ensure()
        live = self._expected(seen, stamp)
        name = render.revision_name(release)
        containers = self._containers.all()
        found = next((container for container in containers if container.revision == name), None)
        image = "" if found else self._image(release)
        octet = self._proxy.reserve(live, stamp.epoch, name, *self._containers.octets())
        address = self._host.address(octet)
        found = found or self._make(release, image, address)
        state = self._state(live, containers, stamp)
        server = state.servers.get(name) or Server(address="", route=render.route_of(release.settings, self._own))
        server = server.model_copy(update={"address": f"{address}:{release.settings.run.port}"})
        if found.status == "exited" and not server.weight:
            self._containers.keep_up(found, always=False)  # as for a new one: if it crashes, it stays as it ended
        self._readiness.start(found)
        state = state.model_copy(update={"servers": {**state.servers, name: server}})
        self._proxy.apply(live, stamp.epoch, state, (record_name(release), record_of(release)))
        return self._container(name).as_revision(0)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """One exec: files, map and weights. What is in flight on the old ones ends there."""
        if weights and sum(weights.values()) != 100:
            raise Invalid(f"weights sum to {sum(weights.values())}, not to 100")
        live = self._running(seen, stamp)
        containers = {container.revision: container for container in self._containers.all()}
        state = self._state(live, containers.values(), stamp)
        taking = [name for name, weight in weights.items() if weight]
        warm = {name: self._warm(name) for name in taking if name not in state.servers}
        for found in (containers[name] for name in taking if name in containers):
            self._containers.keep_up(found, always=True)
        state = state.model_copy(update={"servers": {**state.servers, **warm}})
        self._proxy.apply(live, stamp.epoch, render.shifted(state, weights))

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """Drain; then a warm one stays behind the proxy, a stopped one leaves it, and a removed one is gone.

        A revision that is not there any more is no error; one that has traffic is Invalid. What was adopted keeps
        its place in the proxy, without traffic, until it is removed from there; its container is not ours.
        """
        names = {revision.name for revision in revisions}
        if seen == ABSENT and self._proxy.read() is None:
            self._end(names, to, {}, ABSENT)
            return
        live = self._running(seen, stamp)
        containers = self._containers.all()
        state = self._state(live, containers, stamp)
        if busy := [name for name, server in state.servers.items() if name in names and server.weight]:
            raise Invalid(f"{', '.join(busy)} has traffic")
        self._drain([name for name, server in state.servers.items() if name in names and server.served])
        leaving = leaving_of(state, names, to, {container.revision for container in containers})
        rest = {name: server for name, server in state.servers.items() if name not in leaving}
        live = self._proxy.apply(live, stamp.epoch, state.model_copy(update={"servers": rest}))
        self._end(names, to, leaving, live.version)
        if to == "removed" and names:
            self._proxy.free(sorted(names))

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """The stamp alone; the version goes on, so that an older `seen` is refused from now on."""
        live = self._running(seen, stamp)
        self._proxy.apply(live, stamp.epoch, self._state(live, self._containers.all(), stamp))

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Containers, records, secrets, addresses and the slot; the proxy, too, when this was the last service.

        The last write under the fence comes first: nothing is behind the proxy after it. Then those containers end
        that were there before it, while nobody has written since; a run that was killed in between left them idle.
        """
        live, ending = None, self._containers.all()
        if self._host.present():
            self._host.ensure()
            live = self._expected(seen, stamp)
            state = self._state(live, self._containers.all(), stamp)
            if live.state is not None or state.servers:
                live = self._proxy.apply(live, stamp.epoch, render.shifted(state, {}))
                self._drain(list(state.servers))
            ending = self._containers.all()
            self._proxy.leave(live, stamp.epoch)
        for found in ending:
            self._nobody_wrote_since(ABSENT)
            self._containers.remove(found)
        for volume in self._secrets.all():
            self._secrets.remove(volume.name)
        if live is not None:
            proxy = self._host.identity()
            if self._proxy.close():
                self._host.remove(proxy)

    # Cleaning up

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """Containers, records, secret volumes and images of releases that need not come back; what a kill left."""
        return self._cleaning.garbage(keep, {revision.name for revision in self.observe().serving}, images)

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """Containers first, since they hold what is below them; one write under the fence before anything goes."""
        now = self.observe()
        names = {revision.name for revision in now.serving}
        numbers = {str(revision.number) for revision in now.serving}
        revisions = [item for item in garbage if item.kind == "revision" and item.name not in names]
        records = [item for item in garbage if item.kind == "record" and item.name.partition("-")[0] not in numbers]
        named = {item.name for item in revisions}
        self.retire([one for one in now.revisions if one.name in named], "removed", stamp, seen)
        return (*revisions, *self._forget(records, stamp), *self._cleaning.remove(garbage))

    # What these are made of

    @cached_property
    def _client(self) -> DockerClient:
        with self._connecting:
            return connect(self._own.host)

    @cached_property
    def _proxy(self) -> Proxy:
        return Proxy(self._client, self._own, self._key, self._route)

    @cached_property
    def _host(self) -> Host:
        return Host(self._client, self._own, self._proxy, self._context.report, self._context.cancel)

    @cached_property
    def _containers(self) -> Containers:
        service = self._settings.service
        return Containers(self._client, self._own, service.service, service.environment)

    @cached_property
    def _secrets(self) -> SecretVolumes:
        service = self._settings.service
        return SecretVolumes(self._client, self._own.namespace, service.service, service.environment)

    @cached_property
    def _past(self) -> Past:
        return Past(self._client, self._context, self._proxy, self._containers, self._secrets)

    @cached_property
    def _questions(self) -> Questions:
        return Questions(self._client, self._own, self._route, self._proxy, self._containers, self._context.cancel)

    @cached_property
    def _cleaning(self) -> Cleaning:
        service = self._settings.service.service
        return Cleaning(self._client, self._own.namespace, service, self._proxy, self._containers, self._secrets)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(self._containers, self.probe, self._questions.reaches, lambda: self.default_platform)

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

    def _state(self, live: Live, containers: Iterable[Found], stamp: Stamp | None = None) -> State:
        routes = {found.revision: found.labels[render.LABEL + "route"] for found in containers}
        state = taken_over(self._settings, live.state, self._route, live.addresses, live.weights, routes)
        return state if stamp is None else state.model_copy(update={"stamp": stamp})

    def _image(self, release: Release) -> str:
        image = release.main
        if images.find(self._client, image.config_digest) is None and image.manifest_digest is not None:
            pull(self._client, image.reference, self._context.report, self._context.cancel)
        return images.ensure(self._client, image)

    def _make(self, release: Release, image: str, address: str) -> Found:
        user, versions = release.settings.run.user, release.secret_versions
        try:
            with self._secrets.filled(image, user, lambda: self._past.values(release), versions) as volume:
                return self._containers.create(release, image, address, volume, self._context.name)
        except PlatformError:
            with contextlib.suppress(PlatformError):  # else it is free after a while
                self._proxy.free([render.revision_name(release)])
            raise

    def _drain(self, names: Sequence[str]) -> None:
        """What is in flight there gets its time; what is left then is cut off, and told."""
        if not names:
            return
        seconds = self._settings.rollout.drain
        left = self._proxy.drain(names, seconds, self._context.cancel)
        if left and self._context.report is not None:
            requests = "1 request was" if left == 1 else f"{left} requests were"
            where = f"on {', '.join(names)} after [rollout] drain = {seconds:g} s"
            self._context.report.remark(f"{requests} still under way {where}, and cut off there")

    def _warm(self, name: str) -> Server:
        """A revision that stayed without being behind the proxy: its container still has its address."""
        found = self._container(name)
        networks = self._containers.inspect(found)["NetworkSettings"]["Networks"]
        address = networks[self._own.namespace]["IPAddress"]
        if not address:
            raise Invalid(f"{name} does not run")
        return Server(address=f"{address}:{found.run.port}", served=True, route=found.labels[render.LABEL + "route"])

    def _forget(self, records: Sequence[Garbage], stamp: Stamp) -> Sequence[Garbage]:
        """Those that went; none where there is no host any more."""
        if records:
            with contextlib.suppress(NotFound):
                self._proxy.forget(stamp.epoch, [item.name for item in records])
                return records
        return ()

    def _nobody_wrote_since(self, version: str) -> None:
        """Right before a container ends: who wrote since may have given it traffic. Raises Conflict."""
        now = self._proxy.read()
        if now is not None and not now.fresh and now.version != version:
            raise Conflict(f"somebody wrote before everything had ended: {now.version} is there")

    def _end(self, names: Collection[str], to: Retired, leaving: Mapping[str, Server], version: str) -> None:
        if to == "warm":
            return
        for container in self._containers.all():
            name = container.revision
            if name not in names:
                continue
            if name not in leaving or leaving[name].served:
                self._nobody_wrote_since(version)
                self._containers.stop(container, container.run.stop_grace)
            if to == "removed":
                self._nobody_wrote_since(version)
                self._containers.remove(container)

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
