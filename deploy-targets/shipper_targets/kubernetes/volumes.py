"""What a pod has mounted: read-only volumes, secrets as files, and the directories that it may write to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shipper.model import RunSettings, Settings
from shipper.targets import SECRETS_DIRECTORY
from shipper_targets.kubernetes.quantities import show_memory
from shipper_targets.kubernetes.secret_refs import parse_reference
from shipper_targets.kubernetes.settings import KubernetesSettings

CLAIM, CONFIG_MAP = "pvc:", "configmap:"
TMP = "/tmp"  # noqa: S108 - a directory inside the container
SECRET_MODE = 0o440
"""root may read a secret's file, and the pod's group (`fsGroup`): so the container's user can, whoever that is."""


@dataclass(frozen=True)
class Mounted:
    """Volumes of the pod, and where its container has them."""

    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]


def mounted(settings: Settings, own: KubernetesSettings, versions: Mapping[str, str]) -> Mounted:
    """Everything that is mounted. Sources of another kind are preflight's to refuse."""
    pairs = [*_sources(settings.run), *_secrets(settings.run, versions), *_writable(settings.run, own)]
    volumes = {volume["name"]: volume for volume, _ in pairs}
    return Mounted(list(volumes.values()), [mount for _, mount in pairs])


def source_of(text: str) -> tuple[str, str, str] | None:
    """(`pvc:` or `configmap:`, object's name, directory inside or "") of a volume's source; None for another kind."""
    for kind in (CLAIM, CONFIG_MAP):
        if text.startswith(kind):
            name, _, inside = text.removeprefix(kind).partition("/")
            return kind, name, inside.strip("/")
    return None


def has_secret_files(run: RunSettings, versions: Mapping[str, str]) -> bool:
    """Whether there are secrets, and as files."""
    return run.secrets_as == "files" and bool(versions)


def _sources(run: RunSettings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """One volume for each object, however many of its directories are mounted."""
    names: dict[tuple[str, str], str] = {}
    for wanted in run.volumes:
        found = source_of(wanted.source)
        if found is None:
            continue
        kind, name, inside = found
        volume = names.setdefault((kind, name), f"volume-{len(names)}")
        mount = {"name": volume, "mountPath": wanted.target, "readOnly": True}
        yield {"name": volume, **_source(kind, name)}, {**mount, **({"subPath": inside} if inside else {})}


def _source(kind: str, name: str) -> dict[str, Any]:
    if kind == CLAIM:
        return {"persistentVolumeClaim": {"claimName": name, "readOnly": True}}
    return {"configMap": {"name": name}}


def _secrets(run: RunSettings, versions: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each file is mounted for itself: /run/secrets stays free for what clouds and service accounts put there."""
    if not has_secret_files(run, versions):
        return
    references = {name: parse_reference(version) for name, version in sorted(versions.items())}
    sources = [
        {"secret": {"name": one.secret, "items": [{"key": one.key, "path": name}]}} for name, one in references.items()
    ]
    volume = {"name": "secrets", "projected": {"defaultMode": SECRET_MODE, "sources": sources}}
    for name in references:
        path = f"{SECRETS_DIRECTORY}/{name}"
        yield volume, {"name": "secrets", "mountPath": path, "subPath": name, "readOnly": True}


def _writable(run: RunSettings, own: KubernetesSettings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    taken = {volume.target.rstrip("/") for volume in run.volumes}
    if not own.security.writable_root and TMP not in taken:
        in_memory = {"medium": "Memory", "sizeLimit": show_memory(own.tmp_size)}
        yield {"name": "tmp", "emptyDir": in_memory}, {"name": "tmp", "mountPath": TMP}
    for at, path in enumerate(own.scratch):
        yield {"name": f"scratch-{at}", "emptyDir": {}}, {"name": f"scratch-{at}", "mountPath": path}
