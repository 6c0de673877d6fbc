"""Which builder of buildx's builds an image: the engine's own, a BuildKit elsewhere, or one in a cluster.

Ours live in a configuration of their own (builder_home): the user's builders, and the one that is selected, stay as
they are. An instance is named by a hash of its settings, so that it never needs to be changed, and two runs that make
it at once make the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipper.errors import ConfigError
from shipper.images.builder_pods import Where
from shipper.model import ImageSettings
from shipper.model.noun import digest_of

PREFIX = "shipper-"


@dataclass(frozen=True)
class Instance:
    """A builder as buildx knows it. `place` is what people call it, `endpoint` and `options` are buildx's."""

    name: str
    node: str
    driver: str
    place: str
    patience: float
    """Seconds until it must answer."""
    endpoint: str = ""
    options: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What buildx needs besides to reach it."""
    advice: str = ""
    """The command that shows why it does not get ready."""
    where: Where | None = None
    """Its pods, in a cluster."""


def instance_of(image: ImageSettings, root: Path, platform: str, environ: Mapping[str, str]) -> Instance | None:
    """The builder of `image` for one platform; None where the engine at hand builds. `root` holds shipper.toml.

    Raises ConfigError when its section is missing, or a file that it names cannot be read.
    """
    if image.builder == "docker":
        return None
    if image.builder == "remote":
        from shipper.images.builder_remote import remote_instance

        if image.remote is None:
            raise _no_section("remote", 'address = "tcp://builds.example.com:1234"')
        return remote_instance(image.remote, root)
    from shipper.images.builder_kubernetes import kubernetes_instance

    if image.kubernetes is None:
        raise _no_section("kubernetes", 'context = "…" and namespace = "…"')
    return kubernetes_instance(image.kubernetes, root, platform, environ)


def name_for(value: object) -> str:
    """A name made of settings: for buildx, and for an object of a cluster."""
    return f"{PREFIX}{digest_of(value).removeprefix('sha256:')[:16]}"


def file_of(text: str, root: Path) -> Path:
    """The absolute path of a file of the configuration: absolute, below ~/ or relative to shipper.toml."""
    path = Path(text)
    return path.expanduser() if text.startswith("~/") else root / path


def _no_section(name: str, example: str) -> ConfigError:
    return ConfigError(f'image.builder is "{name}", and there is no [image.{name}]', hint=f"add it, with {example}")
