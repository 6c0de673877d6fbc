"""Secrets on the host: one volume for each service and set of values, so that a way back finds the values of then."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from shipper.model.secret import Secret
from shipper.targets import SECRETS_DIRECTORY, Invalid, NotFound
from shipper.targets.secret_files import owner_of, secrets_archive
from shipper_targets.docker.engine import translated
from shipper_targets.docker.render import LABEL

if TYPE_CHECKING:
    from docker import DockerClient

_FILLED = ".filled"
"""Written last: a volume without it was left half filled and is filled again."""


class SecretVolumes:
    """The secret volumes of one service in one namespace."""

    def __init__(self, client: DockerClient, namespace: str, service: str, environment: str) -> None:
        self._client = client
        self._namespace = namespace
        self._owner = f"{service}.{environment}"
        self._labels = {LABEL + "namespace": namespace, LABEL + "secrets-of": self._owner}

    def ensure(
        self, image: str, user: str | None, secrets: Sequence[Secret], versions: Mapping[str, str]
    ) -> str | None:
        """The name of the filled volume; None when the release has no secrets.

        Files are 0600 and belong to the container's user: `user`, else the image's own. Nothing is executed.
        Raises NotFound when neither the volume nor the values are there.
        """
        if not versions and not secrets:
            return None
        with self._never_started(image, []) as helper:
            owner = owner_of(
                self._image_user(image) if user is None else user,
                self._file(helper, "/etc/passwd") or "",
                self._file(helper, "/etc/group") or "",
            )
        name = self._name(versions, owner)
        with translated("make the volume for the secrets"):
            self._client.api.create_volume(name, labels=self._labels)
        with self._never_started(image, [f"{name}:{SECRETS_DIRECTORY}:nocopy"]) as helper:
            if self._file(helper, f"{SECRETS_DIRECTORY}/{_FILLED}") is None:
                if not secrets:
                    raise NotFound(f"the secrets {', '.join(sorted(versions))} of then are not on this host any more")
                self._fill(helper, secrets, owner)
        return name

    def sweep(self) -> None:
        """Volumes of this service that no container uses any more are removed."""
        labels = [f"{name}={value}" for name, value in self._labels.items()]
        with translated("look for secret volumes"):
            volumes = (self._client.api.volumes(filters={"label": labels}) or {}).get("Volumes") or []
        for volume in volumes:
            # In use by a container: the engine refuses, and that is right.
            with contextlib.suppress(Invalid, NotFound), translated("remove a secret volume"):
                self._client.api.remove_volume(volume["Name"])

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
                labels=self._labels,
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
