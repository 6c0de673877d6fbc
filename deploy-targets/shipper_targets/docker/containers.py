"""Service containers: made from a release, found by label, looked at, stopped and removed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shipper.model import Release, Revision
from shipper.model.secret import Secret
from shipper.targets import SECRETS_DIRECTORY, Invalid, NotFound, container_options
from shipper.targets.secret_files import owner_of, secrets_archive
from shipper_targets.docker.engine import translated
from shipper_targets.docker.render import LABEL, labels_of, revision_name
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

_STATES = {"running": "running", "created": "starting", "restarting": "failed", "exited": "stopped", "dead": "failed"}
_FILLED = ".filled"


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
    def number(self) -> int:
        """The release's number."""
        return int(self.labels[LABEL + "number"])

    def as_revision(self, weight: int) -> Revision:
        """The container as the seam speaks of it."""
        return Revision.model_validate(
            {
                "name": self.revision,
                "release": self.labels[LABEL + "release"],
                "number": self.number,
                "fingerprint": self.labels[LABEL + "fingerprint"],
                "state": _STATES.get(self.status, "failed"),
                "image": self.labels[LABEL + "config-digest"],
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

    def named(self, revision: str) -> Found | None:
        """The container of a revision."""
        return next((found for found in self.all() if found.revision == revision), None)

    def create(self, release: Release, image: str, address: str, secrets: Sequence[Secret], target: str) -> Found:
        """A container of this release, not started yet. Raises Invalid when the engine refuses it."""
        volume = self._secrets_volume(image, release, secrets)
        options = container_options(
            release.settings.run,
            root=release.settings.service.root,
            secrets_volume=volume,
            labels=labels_of(release, self._own, target),
        )
        options["restart_policy"] = {"Name": "unless-stopped"}
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
        found = self.named(revision_name(release))
        if found is None:
            raise Invalid(f"the container {made.name} is gone")
        return found

    def start(self, found: Found) -> str:
        """Start it; what the engine said when it could not, such as "exec format error", else an empty text."""
        try:
            with translated(f"start {found.name}"):
                self._client.api.start(found.id)
        except Invalid as error:
            return str(error)
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
        with contextlib.suppress(NotFound), translated(f"remove {found.name}"):
            self._client.api.remove_container(found.id, force=True, v=True)

    def execute(self, found: Found, words: Sequence[str]) -> str | None:
        """What a program inside printed; None when it is not there or failed."""
        api = self._client.api
        try:
            with translated(f"look into {found.name}"):
                created = api.exec_create(found.id, list(words))
                said = api.exec_start(created["Id"]).decode("utf-8", "replace")
                code = api.exec_inspect(created["Id"])["ExitCode"]
        except (Invalid, NotFound):
            return None
        return said if code == 0 else None

    # Secrets: one volume for each service and set of values, so that a way back finds the values of then

    def sweep_secrets(self) -> None:
        """Volumes of this service that no container uses any more are removed."""
        labels = [f"{LABEL}namespace={self._own.namespace}", f"{LABEL}secrets-of={self._secrets_owner()}"]
        with translated("look for secret volumes"):
            volumes = (self._client.api.volumes(filters={"label": labels}) or {}).get("Volumes") or []
        for volume in volumes:
            # In use by a container: the engine refuses, and that is right.
            with contextlib.suppress(Invalid, NotFound), translated("remove a secret volume"):
                self._client.api.remove_volume(volume["Name"])

    def _secrets_owner(self) -> str:
        return f"{self._service}.{self._environment}"

    def _secrets_volume(self, image: str, release: Release, secrets: Sequence[Secret]) -> str | None:
        if not secrets:
            return None
        versions = json.dumps(release.secret_versions, sort_keys=True)
        short = hashlib.sha256(f"{self._secrets_owner()}\n{versions}".encode()).hexdigest()[:16]
        name = f"{self._own.namespace}-secrets-{self._service}-{short}"
        labels = {LABEL + "namespace": self._own.namespace, LABEL + "secrets-of": self._secrets_owner()}
        with translated("make the volume for the secrets"):
            self._client.api.create_volume(name, labels=labels)
        with self._never_started(image, name) as helper:
            if self._file(helper, f"{SECRETS_DIRECTORY}/{_FILLED}") is None:
                user = release.settings.run.user
                owner = owner_of(
                    self._image_user(image) if user is None else user,
                    self._file(helper, "/etc/passwd") or "",
                    self._file(helper, "/etc/group") or "",
                )
                # The marker goes last: a volume that was left half filled is filled again.
                for archive in (secrets_archive(secrets, owner), secrets_archive([Secret(_FILLED, b"1")], (0, 0))):
                    with translated("hand the secrets to the host"):
                        self._client.api.put_archive(helper, SECRETS_DIRECTORY, archive)
        return name

    def _image_user(self, image: str) -> str:
        with translated("look at the image"):
            return str(self._client.images.get(image).attrs["Config"].get("User") or "")

    @contextlib.contextmanager
    def _never_started(self, image: str, volume: str) -> Iterator[str]:
        """A container of the image that never runs: the engine reads and writes files in it, nothing executes."""
        with translated("hand the secrets to the host"):
            made = self._client.api.create_container(
                image,
                command=["never-started"],
                host_config=self._client.api.create_host_config(
                    binds=[f"{volume}:{SECRETS_DIRECTORY}"], network_mode="none"
                ),
            )
        try:
            yield made["Id"]
        finally:
            with contextlib.suppress(NotFound), translated("remove a helper container"):
                self._client.api.remove_container(made["Id"], force=True)

    def _file(self, container: str, path: str) -> str | None:
        with contextlib.suppress(NotFound), translated(f"read {path}"):
            chunks, _ = self._client.api.get_archive(container, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.next()
                content = archive.extractfile(member) if member is not None and member.isfile() else None
                return content.read().decode("utf-8", "replace") if content else None
        return None
