"""Image references as the kubelet reads them, after github.com/distribution/reference."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.rig.kubernetes.pods.runtime import Trouble

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
_REFERENCE = re.compile(
    rf"(?P<name>{_DOMAIN}{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>sha256:[0-9a-f]{{64}}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """`tag` is `latest` when the text has neither tag nor digest."""

    name: str
    tag: str
    digest: str

    @property
    def host(self) -> str:
        """The registry's host; "" for Docker Hub."""
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else ""

    @property
    def policy(self) -> str:
        """The pull policy of a container that has none; the API server fills it in the same way."""
        return "Always" if self.tag == "latest" and not self.digest else "IfNotPresent"


def parse(text: str) -> Reference:
    """Raises Trouble (InvalidImageName)."""
    match = _REFERENCE.fullmatch(text)
    if match is None or len(match["name"]) > 255:
        said = f'couldn\'t parse image name "{text}": invalid reference format'
        raise Trouble("InvalidImageName", f'Failed to apply default image tag "{text}": {said}', "InspectFailed")
    tag = match["tag"] or ("" if match["digest"] else "latest")
    return Reference(match["name"], tag, match["digest"] or "")
