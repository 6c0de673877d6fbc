"""A docker-archive made without an engine: Debian 12's marks, packages, files and a history."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'
_SITE = "usr/local/lib/python3.11/site-packages"


@dataclass(frozen=True)
class SavedImage:
    """Where it is, and the digests that an engine would have told."""

    path: Path
    config_digest: str
    diff_ids: tuple[str, ...]


def save_image(
    path: Path,
    *,
    packages: Mapping[str, str] | None = None,
    system_packages: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    deleted: Sequence[str] = (),
    env: Sequence[str] = (),
    created_by: str = "COPY . /srv",
) -> SavedImage:
    """Python and Debian packages by name and version; `deleted` files are gone in the last layer."""
    base = {"etc/os-release": _OS_RELEASE, "etc/debian_version": "12.5\n"}
    base["var/lib/dpkg/status"] = "".join(_dpkg(name, version) for name, version in (system_packages or {}).items())
    content = {f"{_SITE}/{n}-{v}.dist-info/METADATA": _metadata(n, v) for n, v in (packages or {}).items()}
    gone = {f"{Path(name).parent}/.wh.{Path(name).name}": "" for name in deleted}
    layers = [_tar(base), _tar({**content, **(files or {})}), *([_tar(gone)] if gone else [])]
    diff_ids = tuple("sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/usr/bin", *env], "Cmd": ["python", "app.py"], "User": "1000"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": "ADD rootfs /"}, {"created_by": created_by}, {"created_by": "RUN rm"}][
            : len(layers)
        ],
    }
    return _write(path, json.dumps(config).encode(), layers, diff_ids)


def _write(path: Path, config: bytes, layers: Sequence[bytes], diff_ids: tuple[str, ...]) -> SavedImage:
    name = hashlib.sha256(config).hexdigest()
    places = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": f"{name}.json", "RepoTags": ["shop:test"], "Layers": places}]
    members = {f"{name}.json": config, **dict(zip(places, layers, strict=True))}
    members["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(_tar(members))
    return SavedImage(path, f"sha256:{name}", diff_ids)


def _tar(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"


def _dpkg(name: str, version: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nDescription: x\n\n"
