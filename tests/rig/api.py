"""What tests, the Makefile and the demonstration use of the rig."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.rig import database, images, parts, scanner
from tests.rig.google import part as google
from tests.rig.google.artifacts import part as artifacts
from tests.rig.kubernetes import place as kubernetes
from tests.rig.machine import Machine, alone, state_dir, survey
from tests.rig.shell import RigError

__all__ = ["ALL", "DOCKER", "GOOGLE", "KUBERNETES", "Incomplete", "Rig", "RigError", "ensure"]

ALL = parts.NAMES
DOCKER = tuple(name for name in ALL if name not in (*parts.GOOGLE, *parts.KUBERNETES))
"""All that a release to a Docker host needs."""
GOOGLE = (*DOCKER, *parts.GOOGLE)
"""All that a release to Cloud Run needs."""
KUBERNETES = (*DOCKER, *(name for name in parts.KUBERNETES if name != "knative"))
"""All that a release to Kubernetes needs; Knative is one part more."""


class Incomplete(RigError):
    """Parts of the rig cannot be had; one line for each says why."""


@dataclass(frozen=True)
class GooglePlace:
    """Cloud Run and the APIs beside it, and Artifact Registry under its own names."""

    endpoint: str
    """For `endpoint = …` of a Cloud Run target: gRPC and REST alike."""
    folder: Path
    """Its state; below it identity/, which tests.rig.google.identity.Identity takes."""
    env: Mapping[str, str]
    """What makes a process trust its certificates and ask it directly."""
    stand_in: str = "Cloud Run, Artifact Registry: written here after their documentation, compared with it only"


@dataclass(frozen=True)
class Rig:
    """Where the parts are that a test asked for."""

    docker_host: str | None
    """The engine's address when it is not the docker command's own default."""
    registry: str
    base_image: str
    proxy_image: str
    trivy: Path
    trivy_cache: Path
    """What to give to `trivy --cache-dir`: always the rig's generated database."""
    real_database: Path | None
    """The cache of the user's own Trivy, when that has a database."""
    google: GooglePlace
    """Google Cloud, as far as it stands in for the real one."""
    kubeconfig: Path
    """Of an administrator of the rig's Kubernetes cluster; its context is named "rig"."""
    stand_ins: tuple[str, ...]
    """One sentence for each part that only stands in for the real one."""

    def env(self) -> Mapping[str, str]:
        """The environment variables that point the shipper command at these parts, for tests."""
        settings = {"SHIPPER_TRIVY": str(self.trivy), "SHIPPER_TRIVY_CACHE": str(self.trivy_cache)}
        return {**settings, "DOCKER_HOST": self.docker_host} if self.docker_host else settings

    def demo_env(self) -> Mapping[str, str]:
        """The same for a person, with the real vulnerability database where there is one."""
        real = {"SHIPPER_TRIVY_CACHE": str(self.real_database)} if self.real_database else {}
        return {**self.env(), **real}


def ensure(names: Iterable[str] = ALL, tell: Callable[[parts.Outcome], None] | None = None) -> Rig:
    """Find or make the named parts and what they need; Incomplete names every one that cannot be had."""
    wanted = parts.select(names)
    with alone(state_dir()):
        machine = survey()
        outcomes = parts.bring_up(machine, wanted, tell or (lambda _: None))
    if failed := [f"{outcome.part}: {outcome.words}" for outcome in outcomes if outcome.state == "failed"]:
        raise Incomplete("\n".join(failed))
    return describe(machine)


def describe(machine: Machine) -> Rig:
    """The rig on this machine, whether or not every part is there."""
    return Rig(
        docker_host=os.environ.get("DOCKER_HOST"),
        registry=machine.registry,
        base_image=images.BASE,
        proxy_image=images.PROXY,
        trivy=scanner.path(machine),
        trivy_cache=database.cache_dir(machine),
        real_database=scanner.real_database(),
        google=GooglePlace(google.url(), artifacts.folder(machine), artifacts.env(machine)),
        kubeconfig=kubernetes.place(machine).kubeconfig,
        stand_ins=_stand_ins(machine),
    )


def _stand_ins(machine: Machine) -> tuple[str, ...]:
    own = (
        f"base image {images.BASE}: built here from Debian packages, not the official one",
        f"proxy image {images.PROXY}: built here with Debian's HAProxy, not the official one",
    )
    tests_only = ", in the tests only" if scanner.real_database() else ""
    fixture = f"vulnerability database: a generated fixture, NOT a clean bill of health{tests_only}"
    return (fixture,) if machine.users_engine else (*own, fixture)
