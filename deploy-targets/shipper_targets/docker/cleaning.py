"""Clean-up: what old releases left on the host and nobody needs, and what killed runs left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shipper.model import Garbage
from shipper_targets.docker.clock import engine_time
from shipper_targets.docker.containers import Containers
from shipper_targets.docker.engine import is_gone, translated
from shipper_targets.docker.old_images import OldImages
from shipper_targets.docker.once import ONCE
from shipper_targets.docker.proxy import Proxy
from shipper_targets.docker.records import read_record, record_name
from shipper_targets.docker.render import helper_labels
from shipper_targets.docker.secret_volumes import SecretVolumes, versions_key

if TYPE_CHECKING:
    from docker import DockerClient

GRACE = 600.0
"""Seconds that something without a release must be old: a run at work may be about to use it."""


class Cleaning:
    """The clean-up of one service on one host."""

    def __init__(
        self,
        client: DockerClient,
        namespace: str,
        service: str,
        proxy: Proxy,
        containers: Containers,
        secrets: SecretVolumes,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._proxy = proxy
        self._containers = containers
        self._secrets = secrets
        self._images = OldImages(client, namespace, proxy.key, service)

    def garbage(self, keep: Sequence[int], serving: set[str], images: Collection[str]) -> list[Garbage]:
        """What may go, when these numbers, these revisions and images with these config digests must stay.

        A record that a newer shipper wrote names an image and secret values that we cannot know: then all of them
        stay. Never writes.
        """
        containers = self._containers.all()
        kept = {*keep, *(found.number for found in containers if found.revision in serving)}
        found_records = [read_record(text) for text in self._proxy.records()]
        releases = [release for release in found_records if release is not None]
        old = [release for release in releases if release.number not in kept]
        wanted = [release for release in releases if release.number in kept]
        digests = {*images, *(release.main.config_digest for release in wanted)}
        digests |= {found.digest for found in containers if found.number in kept}
        versions = {versions_key(release.secret_versions) for release in wanted}
        versions |= {versions_key(found.secret_versions) for found in containers if found.number in kept}
        return [
            *(
                Garbage(kind="revision", name=found.revision, why=_why(found.number))
                for found in containers
                if found.number not in kept
            ),
            *(Garbage(kind="record", name=record_name(release), why=_why(release.number)) for release in old),
            *(() if None in found_records else self._old_secrets(versions)),
            *(() if None in found_records else self._images.garbage(old, digests)),
            *self._leftovers(),
        ]

    def remove(self, garbage: Sequence[Garbage]) -> list[Garbage]:
        """Those secret volumes, images and leftovers that are gone: what is in use the engine does not remove."""
        return [item for item in garbage if self._is_gone(item)]

    def _is_gone(self, item: Garbage) -> bool:
        api = self._client.api
        if item.kind == "secrets":
            return self._secrets.remove(item.name)
        if item.kind == "image":
            return is_gone(f"remove the image {item.name}", lambda: api.remove_image(item.name))
        if item.kind == "leftover":  # not by force: one that runs is in use
            return is_gone(f"remove {item.name}", lambda: api.remove_container(item.name))
        return False

    def _old_secrets(self, wanted: set[str]) -> Iterator[Garbage]:
        before = self._now() - GRACE
        for volume in self._secrets.all():
            if volume.versions not in wanted and volume.created < before:
                yield Garbage(kind="secrets", name=volume.name, why="no release that may come back uses these values")

    def _leftovers(self) -> Iterator[Garbage]:
        """Containers that only held a volume for a moment, or were to replace the proxy."""
        before = self._now() - GRACE
        labels = [f"{name}={value}" for name, value in helper_labels(self._namespace).items()]
        with translated("list the containers"):
            records = self._client.api.containers(all=True, filters={"label": labels})
            records += self._client.api.containers(all=True, filters={"name": f"^/{self._proxy.name}-next$"})
        idle = [record for record in records if record["State"] == "created"]
        for record in (*idle, *self._commands()):
            if record["Created"] < before:
                yield Garbage(kind="leftover", name=record["Names"][0].lstrip("/"), why="a run that was killed left it")

    def _commands(self) -> list[dict[str, Any]]:
        """Of `[rollout] before`, that ended without anybody to remove them."""
        with translated("list the containers"):
            records = self._client.api.containers(
                all=True, filters={"label": [f"{ONCE}={self._namespace}.{self._proxy.key}"]}
            )
        return [record for record in records if record["State"] in ("created", "exited")]

    def _now(self) -> float:
        return engine_time(self._client)


def _why(number: int) -> str:
    return f"release {number} need not come back"
