"""Service containers: made from a release, found by label, looked at, stopped and removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shipper.model import HealthSettings, Release, Revision, RunSettings
from shipper.model.json_text import parse_json
from shipper.targets import Invalid, NotFound, container_options
from shipper.targets.docker_exec import run_in
from shipper_targets.docker.clock import engine_time, seconds_of
from shipper_targets.docker.engine import translated
from shipper_targets.docker.render import LABEL, labels_of, revision_name
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

_STATES = {"running": "running", "created": "starting", "restarting": "failed", "exited": "stopped", "dead": "failed"}


@dataclass(frozen=True)
class Found:
    """A container of this service, as the engine lists it."""

    id: str
    name: str
    status: str
    labels: Mapping[str, str]

    @property
    def revision(self) -> str:
        """The revision's name."""
        return self.labels[LABEL + "revision"]

    @property
    def release(self) -> str:
        """The release's id."""
        return self.labels[LABEL + "release"]

    @property
    def number(self) -> int:
        """The release's number."""
        return int(self.labels[LABEL + "number"])

    @property
    def digest(self) -> str:
        """The config digest of its image."""
        return self.labels[LABEL + "config-digest"]

    @property
    def secret_versions(self) -> dict[str, str]:
        """The versions of its secrets."""
        versions: dict[str, str] = parse_json(self.labels[LABEL + "secrets"])
        return versions

    @property
    def run(self) -> RunSettings:
        """How its release asked to be run."""
        return RunSettings.model_validate(self._runtime["run"])

    @property
    def health(self) -> HealthSettings:
        """When its release is ready."""
        return HealthSettings.model_validate(self._runtime["health"])

    @property
    def _runtime(self) -> dict[str, Any]:
        runtime: dict[str, Any] = parse_json(self.labels[LABEL + "runtime"])
        return runtime

    def as_revision(self, weight: int) -> Revision:
        """The container as the seam speaks of it."""
        return Revision.model_validate(
            {
                "name": self.revision,
                "release": self.release,
                "number": self.number,
                "fingerprint": self.labels[LABEL + "fingerprint"],
                "state": _STATES.get(self.status, "failed"),
                "image": self.digest,
                "created": float(self.labels[LABEL + "created"]),
                "weight": weight,
            }
        )


class Containers:
    """The containers of one service on one host."""

    def __init__(self, client: DockerClient, own: DockerSettings, service: str, environment: str) -> None:
        self._client = client
        self._own = own
        self._service = service
        self._environment = environment

    def all(self) -> list[Found]:
        """Oldest first."""
        wanted = {"namespace": self._own.namespace, "service": self._service, "environment": self._environment}
        labels = [f"{LABEL}{name}={value}" for name, value in wanted.items()]
        with translated("list the containers"):
            records = self._client.api.containers(all=True, filters={"label": labels})
        found = [
            Found(record["Id"], record["Names"][0].lstrip("/"), record["State"], record["Labels"])
            for record in records
            if LABEL + "revision" in record["Labels"]
        ]
        return sorted(found, key=lambda container: (container.number, container.revision))

    def octets(self) -> tuple[dict[str, int], set[int]]:
        """The last octets that are held on our network: by this service's revisions, and by anybody else."""
        network = self._own.namespace
        with translated("list the containers"):
            records = self._client.api.containers(all=True, filters={"network": network})
        mine = {found.id: found.revision for found in self.all()}
        ours: dict[str, int] = {}
        others: set[int] = set()
        for record in records:
            endpoint = record["NetworkSettings"]["Networks"].get(network) or {}
            fixed = (endpoint.get("IPAMConfig") or {}).get("IPv4Address")
            octet = (fixed or endpoint.get("IPAddress") or "").rpartition(".")[2]
            if octet and record["Id"] in mine:
                ours[mine[record["Id"]]] = int(octet)
            elif octet:
                others.add(int(octet))
        return ours, others

    def named(self, revision: str) -> Found | None:
        """The container of a revision."""
        return next((found for found in self.all() if found.revision == revision), None)

    def create(self, release: Release, image: str, address: str, secrets_volume: str | None, target: str) -> Found:
        """A container of this release, not started yet. Raises Invalid when the engine refuses it.

        The engine does not restart it: one that crashes before it has traffic stays as it ended, to be looked at.
        """
        options = container_options(
            release.settings.run,
            root=release.settings.service.root,
            secrets_volume=secrets_volume,
            labels=labels_of(release, self._own, target),
        )
        endpoint = self._client.api.create_endpoint_config(ipv4_address=address)
        name = f"{self._own.namespace}-{revision_name(release)}"
        with translated(f"make the container {name}"):
            made = self._client.containers.create(
                image,
                name=name,
                network=self._own.namespace,
                networking_config={self._own.namespace: endpoint},
                **options,
            )
        return Found(str(made.id), name, "created", made.labels)

    def keep_up(self, found: Found, *, always: bool) -> None:
        """Whether the engine starts it again, after a crash and after its own restart.

        No write when it is so already: putting traffic back has time for one (design.md section 5, signals).
        """
        policy: Any = {"Name": "unless-stopped" if always else "no"}
        if self.inspect(found)["HostConfig"]["RestartPolicy"]["Name"] == policy["Name"]:
            return
        with translated(f"set the restart policy of {found.name}"):
            self._client.api.update_container(found.id, restart_policy=policy)

    def start(self, found: Found) -> str:
        """Start it; what the engine said when it could not, such as "exec format error", else an empty text."""
        try:
            with translated(f"start {found.name}"):
                self._client.api.start(found.id)
        except Invalid as error:
            return str(error)
        return ""

    def ran_out_of_memory(self, found: Found, record: Mapping[str, Any]) -> bool:
        """Whether the kernel killed a process in it since its start: with workers the container itself stays up."""
        if record["State"].get("OOMKilled"):
            return True
        started = _seconds(str(record["State"].get("StartedAt") or ""))
        if started is None:
            return False
        wanted = {"container": found.id, "event": "oom"}
        with translated(f"look for events of {found.name}"):
            # Until now by the engine's clock, not later: it would keep the line open.
            until: Any = f"{self._engine_time():.6f}"
            events = self._client.api.events(since=int(started), until=until, filters=wanted, decode=True)
            return any(event.get("Action") == "oom" for event in events)

    def seconds_since_start(self, record: Mapping[str, Any]) -> float | None:
        """By the engine's clock; None when it never started."""
        started = _seconds(str(record["State"].get("StartedAt") or ""))
        return None if started is None else max(0.0, self._engine_time() - started)

    def _engine_time(self) -> float:
        """Unix seconds by the engine's clock, which may be minutes off ours."""
        return time.time() + self._clock_offset

    @cached_property
    def _clock_offset(self) -> float:
        """The engine's clock minus ours, in seconds; asked once."""
        return engine_time(self._client) - time.time()

    def image_platform(self, image: str) -> str:
        """Such as "linux/arm64"; empty when the image is gone."""
        with contextlib.suppress(NotFound), translated("look at the image"):
            found = self._client.images.get(image).attrs
            return "/".join(part for part in (found["Os"], found["Architecture"], found.get("Variant", "")) if part)
        return ""

    def inspect(self, found: Found) -> dict[str, Any]:
        """The engine's record. Raises NotFound."""
        with translated(f"look at {found.name}"):
            record: dict[str, Any] = self._client.api.inspect_container(found.id)
        return record

    def logs(self, found: Found, lines: int) -> list[str]:
        """The last lines of its output."""
        with translated(f"read the log of {found.name}"):
            text = self._client.api.logs(found.id, tail=lines)
        return text.decode("utf-8", "replace").splitlines()

    def follow(self, found: Found, lines: int) -> Iterator[str]:
        """The last lines, then what comes."""
        left = b""
        with translated(f"follow the log of {found.name}"):
            for chunk in self._client.api.logs(found.id, tail=lines, stream=True, follow=True):
                *whole, left = (left + chunk).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in whole)
        if left:
            yield left.decode("utf-8", "replace")

    def stop(self, found: Found, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds. One that does not run is left as it is."""
        with contextlib.suppress(NotFound), translated(f"stop {found.name}"):
            self._client.api.stop(found.id, timeout=max(0, round(grace)))

    def remove(self, found: Found) -> None:
        """Gone, killed if it runs. Idempotent."""
        try:
            with translated(f"remove {found.name}"):
                self._client.api.remove_container(found.id, force=True, v=True)
        except NotFound:
            return
        except Invalid as error:
            if "already in progress" not in str(error):  # somebody else is at it
                raise

    def execute(self, found: Found, words: Sequence[str]) -> str | None:
        """What a program inside printed; None when it is not there or failed."""
        try:
            with translated(f"look into {found.name}"):
                ended = run_in(self._client, found.id, words)
        except (Invalid, NotFound):
            return None
        return ended.output.decode("utf-8", "replace") if ended.code == 0 else None


def _seconds(text: str) -> float | None:
    """The same; None for "never" (year 1)."""
    return None if not text or text.startswith("0001-") else seconds_of(text)
