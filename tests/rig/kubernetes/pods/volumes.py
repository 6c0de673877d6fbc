"""A pod's volumes as folders of this machine: files with the kubelet's links, modes and groups.

Left out: updates of files after the start (a kubelet brings a changed ConfigMap within about a minute), and every
volume that needs a driver or the host: hostPath, persistentVolumeClaim, csi and the like are refused with FailedMount.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, Object
from tests.rig.kubernetes.pods.environment import Lookups, expand, field_value
from tests.rig.kubernetes.pods.quantities import quantity
from tests.rig.kubernetes.pods.runtime import Mount, Trouble

_FILES = ("secret", "configMap", "projected", "downwardAPI")
_MODE = 0o644


@dataclass(frozen=True)
class _File:
    content: bytes
    mode: int


class Volumes:
    """The volumes of one pod, in a folder of its own."""

    def __init__(self, pod: Object, folder: Path, lookups: Lookups) -> None:
        self._pod, self._folder, self._lookups = pod, folder, lookups
        self._volumes: Mapping[str, Object] = {one["name"]: one for one in pod["spec"].get("volumes", [])}
        self.in_memory: dict[str, int | None] = {}
        """Volumes of the engine that are to be a tmpfs: name -> bytes, None for no limit."""

    def prepare(self, ip: str) -> None:
        """Make what is not there yet. Raises Trouble (FailedMount) as long as something is missing."""
        for name, volume in self._volumes.items():
            place = self._folder / name
            if "emptyDir" in volume:
                self._empty(name, volume["emptyDir"] or {}, place)
            elif any(kind in volume for kind in _FILES):
                if not place.exists():
                    self._write(name, dict(self._files(volume, ip)), place)
            else:
                kind = next(kind for kind in volume if kind != "name")
                raise _failed(name, f"the rig's nodes have no {kind} volumes")

    def mounts(self, container: Object, env: Mapping[str, str]) -> list[Mount]:
        """Where they appear in a container. Raises Trouble for a subPath that is not there."""
        return [self._mount(one, env) for one in container.get("volumeMounts", [])]

    def memory_name(self, name: str) -> str:
        """The engine's name of a volume in memory."""
        return f"shipper-rig-{self._pod['metadata']['uid']}-{name}"

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _mount(self, asked: Object, env: Mapping[str, str]) -> Mount:
        name, target = asked["name"], asked["mountPath"]
        read_only = bool(asked.get("readOnly")) or any(kind in self._volumes[name] for kind in _FILES)
        if (self._volumes[name].get("emptyDir") or {}).get("medium") == "Memory":
            return Mount(target, volume=self.memory_name(name), read_only=read_only)
        place = self._folder / name
        inside = asked.get("subPath") or expand(asked.get("subPathExpr", ""), env)
        if inside:
            place = (place / inside).resolve()
            if not place.exists() and "emptyDir" not in self._volumes[name]:
                raise Trouble("CreateContainerConfigError", f'failed to prepare subPath for volumeMount "{name}"')
            if not place.exists():
                place.mkdir(parents=True)
                self._own(place, 0o777)
        return Mount(target, source=str(place), read_only=read_only)

    def _empty(self, name: str, volume: Object, place: Path) -> None:
        if volume.get("medium") == "Memory":
            limit = volume.get("sizeLimit")
            self.in_memory[self.memory_name(name)] = int(quantity(str(limit))) if limit else None
        elif not place.exists():
            place.mkdir(parents=True)
            self._own(place, 0o777)

    def _write(self, name: str, files: Mapping[str, _File], place: Path) -> None:
        """As the kubelet's atomic writer: name -> ..data/name, ..data -> ..<time>."""
        data = place / f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S}.{os.getpid()}"
        data.mkdir(parents=True)
        for relative, file in files.items():
            target = data / relative
            if ".." in Path(relative).parts:
                raise _failed(name, f"{relative} leaves the volume")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
            target.chmod(file.mode)
            if self._group is not None:
                os.chown(target, -1, self._group)
                target.chmod(file.mode | 0o440)
        (place / "..data").symlink_to(data.name)
        for first in {Path(relative).parts[0] for relative in files}:
            (place / first).symlink_to(f"..data/{first}")
        for folder in (place, *(one for one in data.rglob("*") if one.is_dir()), data):
            self._own(folder, 0o755)

    def _own(self, folder: Path, mode: int) -> None:
        if self._group is not None:
            os.chown(folder, -1, self._group)
            mode |= 0o2770
        folder.chmod(mode)

    @property
    def _group(self) -> int | None:
        group: int | None = (self._pod["spec"].get("securityContext") or {}).get("fsGroup")
        return group

    def _files(self, volume: Object, ip: str) -> Iterator[tuple[str, _File]]:
        name = volume["name"]
        kind = next(kind for kind in _FILES if kind in volume)
        source = volume[kind]
        default = source.get("defaultMode", _MODE)
        if kind == "projected":
            for part in source.get("sources", []):
                yield from self._source(name, next(iter(part)), next(iter(part.values())), default, ip)
        else:
            yield from self._source(name, kind, source, default, ip)

    def _source(self, volume: str, kind: str, source: Object, default: int, ip: str) -> Iterator[tuple[str, _File]]:
        if kind == "serviceAccountToken":
            seconds = int(source.get("expirationSeconds", 3600))
            try:
                token = self._lookups.token(self._pod, source.get("audience", ""), seconds)
            except ApiFailure as failure:
                raise _failed(volume, f"failed to fetch token: {failure.message}") from failure
            yield source["path"], _File(token.encode(), default)
        elif kind == "downwardAPI":
            for item in source.get("items", []):
                value = field_value(self._pod, ip, item.get("fieldRef", {}).get("fieldPath", "resourceFieldRef"))
                yield item["path"], _File(value.encode(), item.get("mode", default))
        elif kind in ("secret", "configMap"):
            yield from self._data(volume, kind, source, default)
        else:
            raise _failed(volume, f"the rig's nodes cannot project {kind}")

    def _data(self, volume: str, kind: str, source: Object, default: int) -> Iterator[tuple[str, _File]]:
        name = source.get("secretName") or source.get("name", "")
        namespace = self._pod["metadata"]["namespace"]
        ask = self._lookups.secret if kind == "secret" else self._lookups.config
        data = ask(namespace, name)
        if data is None:
            if source.get("optional"):
                return
            raise _failed(volume, f'{kind.lower()} "{name}" not found')
        items = source.get("items") or [{"key": key, "path": key} for key in data]
        for item in items:
            if item["key"] in data:
                yield item["path"], _File(data[item["key"]], item.get("mode", default))
            elif not source.get("optional"):
                raise _failed(
                    volume, f"references non-existent {'config' if kind == 'configMap' else kind} key: {item['key']}"
                )


def _failed(volume: str, why: str) -> Trouble:
    return Trouble("ContainerCreating", f'MountVolume.SetUp failed for volume "{volume}" : {why}', "FailedMount")
