"""Which registry a repository name means, and how it is reached."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"
_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", _HUB_HOST})
HUB_CREDENTIALS = "https://index.docker.io/v1/"
"""Under this key the docker command keeps the credentials of Docker Hub."""


@dataclass(frozen=True)
class Repository:
    """`registry` is the name for people and credentials, `host` what is asked, `path` the repository there."""

    registry: str
    host: str
    path: str

    @property
    def url(self) -> str:
        """The base of the registry's API. Plain http for this machine only, as the Docker engine does it."""
        return f"{'http' if self.is_local else 'https'}://{self.host}/v2/{self.path}"

    @property
    def is_local(self) -> bool:
        """Whether the registry is on the loopback interface."""
        return is_loopback(self.host)

    @property
    def credentials_key(self) -> str:
        """The key of its credentials in Docker's configuration."""
        return HUB_CREDENTIALS if self.registry == DOCKER_HUB else self.registry


def parse_repository(name: str) -> Repository:
    """A repository by its name: "iris" and "team/iris" are Docker Hub's, as for the docker command."""
    first, slash, rest = name.partition("/")
    if not slash or not (any(sign in first for sign in ".:") or first == "localhost" or first != first.lower()):
        first, rest = DOCKER_HUB, name
    if first.lower() in _HUB_NAMES:
        return Repository(DOCKER_HUB, _HUB_HOST, rest if "/" in rest else f"library/{rest}")
    return Repository(first, first, rest)


def is_loopback(host: str) -> bool:
    """Whether "127.0.0.1:5000", "localhost" or "[::1]:5000" is this machine itself. Names are not looked up."""
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if bare.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
