"""The secrets of one candidate: files 0600 of its own user, in a volume that ends with the trial.

Not the volume that production uses: a candidate that is refused leaves no secret behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import TYPE_CHECKING

from shipper.model import Image
from shipper.model.secret import Secret
from shipper.smoke.engine import engine_errors
from shipper.smoke.inside import read_start
from shipper.targets.container import SECRETS_DIRECTORY
from shipper.targets.secret_files import owner_of, secrets_archive

if TYPE_CHECKING:
    from docker import DockerClient

_ACCOUNTS = 1_000_000  # bytes of /etc/passwd or /etc/group that are read


@contextmanager
def secret_volume(
    client: DockerClient, image: Image, user: str, secrets: Sequence[Secret], labels: Mapping[str, str]
) -> Iterator[str | None]:
    """The name of a volume that holds the secrets, removed afterwards; None when there are none.

    `user` is the container's user as Docker takes it: "name", "1000", "1000:1000", or empty for root.
    """
    if not secrets:
        yield None
        return
    name = f"shipper-smoke-{token_hex(6)}"
    with engine_errors("make a volume for the candidate's secrets"):
        client.api.create_volume(name, labels=dict(labels))
    try:
        _fill(client, image, name, user, secrets, labels)
        yield name
    finally:
        _remove(client, name)


def _fill(
    client: DockerClient,
    image: Image,
    volume: str,
    user: str,
    secrets: Sequence[Secret],
    labels: Mapping[str, str],
) -> None:
    # A container that is never started: the engine writes the files, nothing of the image runs.
    with engine_errors("hand the secrets to the candidate"):
        writer = f"{volume}-writer"
        helper = client.containers.create(
            image.engine_id,
            command=["never-started"],
            name=writer,
            labels=dict(labels),
            network_mode="none",
            volumes={volume: {"bind": SECRETS_DIRECTORY, "mode": "rw"}},
        )
        try:
            owner = owner_of(user, _text(client, writer, "passwd"), _text(client, writer, "group"))
            client.api.put_archive(writer, SECRETS_DIRECTORY, secrets_archive(secrets, owner))
        finally:
            helper.remove(force=True)


def _text(client: DockerClient, container: str, name: str) -> str:
    return (read_start(client, container, f"/etc/{name}", _ACCOUNTS) or b"").decode("utf-8", "replace")


def _remove(client: DockerClient, volume: str) -> None:
    from docker.errors import NotFound

    with engine_errors("remove the volume of the candidate's secrets"):
        try:
            client.api.remove_volume(volume, force=True)
        except NotFound:
            return
