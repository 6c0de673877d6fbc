"""Secrets on the host: one volume for each service and set of values, so that a way back finds the values of then."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shipper.model.secret import Secret
from shipper.targets import SECRETS_DIRECTORY, NotFound
from shipper.targets.secret_files import owner_of, secrets_archive
from shipper_targets.docker.clock import seconds_of
from shipper_targets.docker.engine import is_gone, translated
from shipper_targets.docker.render import LABEL, helper_labels

if TYPE_CHECKING:
    from docker import DockerClient

_FILLED = ".filled"
"""Written last: a volume without it was left half filled and is filled again."""

_OF, _VERSIONS = LABEL + "secrets-of", LABEL + "secret-versions"


@dataclass(frozen=True)
class Volume:
    """A volume of secrets on the host. `versions` is `versions_key` of what it holds, `created` the engine's time."""

    name: str
    versions: str
    created: float


def versions_key(versions: Mapping[str, str]) -> str:
    """The same for the same versions. They are keyed hashes already: it tells nothing about the values."""
    return hashlib.sha256(json.dumps(sorted(versions.items())).encode()).hexdigest()[:32]


class SecretVolumes:
    """The secret volumes of one service in one namespace."""

    def __init__(self, client: DockerClient, namespace: str, service: str, environment: str) -> None:
        self._client = client
        self._namespace = namespace
        self._owner = f"{service}.{environment}"

    @contextlib.contextmanager
    def filled(
        self, image: str, user: str | None, values: Callable[[], Sequence[Secret]], versions: Mapping[str, str]
    ) -> Iterator[str | None]:
        """The name of the filled volume, which nobody can remove during the block; None without secrets.

        Files are 0600 and belong to the container's user: `user`, else the image's own. Nothing is executed.
        `values` is asked only when the volume has to be filled. Raises NotFound when neither is there.
        """
        if not versions:
            yield None
            return
        with self._never_started(image, []) as helper:
            owner = owner_of(
                self._image_user(image) if user is None else user,
                self._file(helper, "/etc/passwd") or "",
                self._file(helper, "/etc/group") or "",
            )
        name = self._name(versions, owner)
        labels = {LABEL + "namespace": self._namespace, _OF: self._owner, _VERSIONS: versions_key(versions)}
        with translated("make the volume for the secrets"):
            self._client.api.create_volume(name, labels=labels)
        with self._never_started(image, [f"{name}:{SECRETS_DIRECTORY}:nocopy"]) as helper:
            if self._file(helper, f"{SECRETS_DIRECTORY}/{_FILLED}") is None:
                secrets = values()
                if {secret.name for secret in secrets} != set(versions):
                    raise NotFound(gone(versions))
                self._fill(helper, secrets, owner)
            yield name

    def have(self, versions: Mapping[str, str]) -> bool:
        """Whether a volume for exactly these is on the host, if only half filled."""
        return any(volume.versions == versions_key(versions) for volume in self.all())

    def all(self) -> list[Volume]:
        """Every secret volume of this service."""
        labels = [f"{LABEL}namespace={self._namespace}", f"{_OF}={self._owner}"]
        with translated("look for secret volumes"):
            found = (self._client.api.volumes(filters={"label": labels}) or {}).get("Volumes") or []
        return [
            Volume(record["Name"], (record["Labels"] or {}).get(_VERSIONS, ""), seconds_of(record["CreatedAt"]))
            for record in found
        ]

    def remove(self, name: str) -> bool:
        """Whether it is gone: while a container uses it the engine refuses, and that is right."""
        return is_gone("remove a secret volume", lambda: self._client.api.remove_volume(name))

    def _name(self, versions: Mapping[str, str], owner: tuple[int, int]) -> str:
        """The versions are keyed hashes already: the name tells nothing about the values."""
        content = json.dumps([self._owner, sorted(versions.items()), owner])
        service = self._owner.replace(".", "-")
        return f"{self._namespace}-secrets-{service}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def _fill(self, helper: str, secrets: Sequence[Secret], owner: tuple[int, int]) -> None:
        marker = secrets_archive([Secret(_FILLED, b"1")], (0, 0))
        for archive in (secrets_archive(secrets, owner), marker):
            with translated("hand the secrets to the host"):
                self._client.api.put_archive(helper, SECRETS_DIRECTORY, archive)

    def _image_user(self, image: str) -> str:
        with translated("look at the image"):
            return str(self._client.images.get(image).attrs["Config"].get("User") or "")

    @contextlib.contextmanager
    def _never_started(self, image: str, binds: list[str]) -> Iterator[str]:
        """A container of the image that never runs: the engine reads and writes files in it, nothing executes."""
        api = self._client.api
        with translated("hand the secrets to the host"):
            made = api.create_container(
                image,
                command=["never-started"],
                labels=helper_labels(self._namespace),
                host_config=api.create_host_config(binds=binds, network_mode="none"),
            )
        try:
            yield made["Id"]
        finally:
            with contextlib.suppress(NotFound), translated("remove a helper container"):
                api.remove_container(made["Id"], force=True)

    def _file(self, container: str, path: str) -> str | None:
        with contextlib.suppress(NotFound), translated(f"read {path}"):
            chunks, _ = self._client.api.get_archive(container, path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.next()
                content = archive.extractfile(member) if member is not None and member.isfile() else None
                return content.read().decode("utf-8", "replace") if content else None
        return None


def gone(versions: Mapping[str, str]) -> str:
    """What to say about values that are not on the host any more."""
    return f"the values of {', '.join(sorted(versions))} of then are not on this host any more"
