"""Images on the engine that no release which may come back needs, here or anywhere on this engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shipper.model import Garbage, Release
from shipper_targets.docker import images
from shipper_targets.docker.clock import engine_time, seconds_of
from shipper_targets.docker.engine import translated
from shipper_targets.docker.host import HOST_LABEL
from shipper_targets.docker.proxy import files_of
from shipper_targets.docker.records import read_record

if TYPE_CHECKING:
    from docker import DockerClient

BUILT = "shipper.local"
"""Where shipper names what it builds (shipper/images/local.py): `shipper.local/<service>:<32 digits of the config>`."""

ABANDONED_AFTER = 86400.0
"""Seconds after which an image that was built and never released is let go: its run may still be at work before."""


class OldImages:
    """The images of one service. Only names of ours go: the bytes go with the last name, others' names stay."""

    def __init__(self, client: DockerClient, namespace: str, key: str, service: str) -> None:
        self._client = client
        self._namespace = namespace
        self._key = key
        self._service = service

    def garbage(self, old: Sequence[Release], wanted: set[str]) -> Iterator[Garbage]:
        """Those of the releases `old`, and builds that were never released; but no config digest of `wanted`."""
        elsewhere = self._needed_elsewhere()
        if elsewhere is None:
            return
        seen = wanted | elsewhere
        for release in old:
            digest = release.main.config_digest
            found = None if digest in seen else images.find(self._client, digest)
            seen.add(digest)
            if found is not None:
                with translated("look at the image"):
                    record = self._client.images.get(found).attrs
                names = list(_names(record, release))
                for name in names:  # the bytes go with the last one
                    why = f"release {release.number} need not come back"
                    yield _garbage(name, why, int(record.get("Size") or 0) if name == names[-1] else 0)
        yield from self._never_released(seen)

    def _never_released(self, seen: set[str]) -> Iterator[Garbage]:
        tags = {digest.removeprefix("sha256:")[:32] for digest in seen}
        before = engine_time(self._client) - ABANDONED_AFTER
        with translated("look for images that were built"):
            found = self._client.api.images(name=f"{BUILT}/{self._service}")
        for name in sorted({name for image in found for name in image.get("RepoTags") or ()}):
            tag = name.rpartition(":")[2]
            if tag in tags or not re.fullmatch("[0-9a-f]{32}", tag):
                continue
            with translated("look at the image"):
                record: dict[str, Any] = self._client.images.get(name).attrs
            named = str((record.get("Metadata") or {}).get("LastTagTime") or "")
            if named and seconds_of(named) < before:
                size = int(record.get("Size") or 0)
                yield _garbage(name, "it was built a day ago or more, and never released", size)

    def _needed_elsewhere(self) -> set[str] | None:
        """Config digests in the records of every other service on this engine, of other namespaces too; None when
        that cannot be told. Images belong to nobody alone: another environment may go back to the same one.
        """
        with translated("look for the proxies of this engine"):
            proxies = self._client.api.containers(all=True, filters={"label": HOST_LABEL})
            volumes = (self._client.api.volumes(filters={"label": HOST_LABEL}) or {}).get("Volumes") or []
        namespaces = {proxy["Labels"][HOST_LABEL] for proxy in proxies}
        if any(volume["Labels"][HOST_LABEL] not in namespaces for volume in volumes):
            return None
        digests: set[str] = set()
        for proxy in proxies:
            ours = f"services/{self._key}/" if proxy["Labels"][HOST_LABEL] == self._namespace else "/"
            for path, text in files_of(self._client, proxy["Id"], "/state/services").items():
                if "/releases/" not in path or path.startswith(ours):
                    continue
                release = read_record(text)
                if release is None:
                    return None
                digests |= {image.config_digest for image in release.images.values()}
        return digests


def _names(record: Mapping[str, Any], release: Release) -> Iterator[str]:
    """The name that the build gave (its tag is the beginning of the config digest) and the published one."""
    tag = release.main.config_digest.removeprefix("sha256:")[:32]
    for name in [*(record.get("RepoTags") or ()), *(record.get("RepoDigests") or ())]:
        if name.endswith(f":{tag}") or name == release.main.reference:
            yield name


def _garbage(name: str, why: str, size: int) -> Garbage:
    return Garbage(kind="image", name=name, why=why, size=size)
