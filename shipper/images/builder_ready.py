"""Make a builder of ours where it is not yet, and wait until it answers."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

from shipper.errors import UnreachableError
from shipper.images.builder import Instance, instance_of
from shipper.images.builder_failure import WAITING, builder_failure, gets_ready, never_ready, too_late
from shipper.images.builder_home import builder_home, has_instance
from shipper.images.builder_pods import Reason, why_not_ready
from shipper.images.command import fields
from shipper.images.stream import awaited
from shipper.model import ImageSettings
from shipper.model.context import Cancellation, Reporter

if TYPE_CHECKING:
    from shipper.processes import Finished

_CREATE = 60.0
"""Seconds for making an instance: buildx itself gives up on its nodes after 20."""
_TURNS = (5.0, 10.0, 30.0)
"""Seconds after which we ask the cluster what buildx waits for; the last one is repeated. buildx itself takes 20 to
reach into a pod in vain, and is to say so."""
_AGAIN = 1.0
"""Seconds between two looks at pods that are not ready: buildx waits by itself in between."""


@dataclass(frozen=True)
class Builder:
    """A builder that is ready: its name for `--builder`, and the environment in which buildx knows it."""

    name: str
    environment: Mapping[str, str]


def ready_builder(
    image: ImageSettings,
    root: Path,
    platform: str,
    engine: Mapping[str, str],
    report: Reporter,
    cancel: Cancellation,
) -> Builder | None:
    """The builder of `image`, answering; None where the engine at hand builds. `engine` is the environment of its
    docker commands: the image comes there.

    Raises ConfigError (2), CredentialsError (32) and UnreachableError (33). There is no falling back to another one.
    """
    instance = instance_of(image, root, platform, os.environ)
    if instance is None:
        return None
    report.progress(f"reaching the builder in {instance.place}")
    _knock(image, root, instance, cancel)
    buildx = _Buildx(instance, engine, cancel)
    buildx.make()
    buildx.start(cancel)
    return Builder(instance.name, buildx.own)


def look_at_builder(image: ImageSettings, root: Path, platform: str) -> str:
    """What there is, in a line for people; nothing is started in a cluster. Raises as `ready_builder`."""
    instance = instance_of(image, root, platform, os.environ)
    if instance is None:
        return "the engine"
    _knock(image, root, instance, None)
    buildx = _Buildx(instance, {})
    buildx.make()
    return f"{instance.driver}, {instance.place}: {buildx.state()}"


def create_command(instance: Instance) -> list[str]:
    """`docker buildx create`: with a node's name it may be repeated. Pure."""
    command = ["docker", "buildx", "create", f"--name={instance.name}", f"--node={instance.node}"]
    command.append(f"--driver={instance.driver}")
    if instance.platform:
        command.append(f"--platform={instance.platform}")
    command += [f"--driver-opt={fields(**{name: value})}" for name, value in instance.options]
    return [*command, instance.endpoint] if instance.endpoint else command


def _knock(image: ImageSettings, root: Path, instance: Instance, cancel: Cancellation | None) -> None:
    """Why a builder elsewhere does not answer is said at once: buildx would take 20 s, and not say it."""
    remote = image.remote
    if remote is None or instance.driver != "remote":
        return
    if remote.address.startswith("ssh://"):
        from shipper.images.builder_reach_ssh import knock_ssh

        knock_ssh(remote, cancel)
        return
    from shipper.images.builder_reach import knock

    if cancel is None:
        knock(remote, root)
    else:
        awaited(lambda: knock(remote, root), cancel)


class _Buildx:
    """buildx's commands about one instance."""

    def __init__(self, instance: Instance, engine: Mapping[str, str], cancel: Cancellation | None = None) -> None:
        self._instance = instance
        self._cancel = cancel
        self._home = builder_home(os.environ)
        self.own = {**engine, **instance.environment, "BUILDX_CONFIG": str(self._home), "DOCKER_CLI_HINTS": "false"}

    def make(self) -> None:
        """Where buildx has none of this name: the name is a hash of the settings, so one that is there is right."""
        if has_instance(self._home, self._instance.name):
            return
        made = self._run(create_command(self._instance), _CREATE)
        if not made.ok:
            raise builder_failure(made.stderr, self._instance)

    def start(self, cancel: Cancellation) -> None:
        """Start it, and wait until it answers, for at most the patience that was configured.

        In a cluster we ask every now and then what keeps its pods, and give up at once when that will not heal.
        """
        deadline = time.monotonic() + self._instance.patience
        turns = chain(_TURNS if self._instance.where else (), repeat(_TURNS[-1]))
        for turn in turns:
            started, said = self._bootstrap(min(turn, deadline - time.monotonic()))
            if started:
                return
            if not gets_ready(said):
                raise builder_failure(said, self._instance)
            reason = self._reason(cancel)
            if reason is not None and reason.final:
                raise never_ready(reason.words, self._instance)
            if time.monotonic() >= deadline:
                raise too_late(reason.words if reason else said, self._instance)
            cancel.wait(_AGAIN)
            cancel.check()

    def _reason(self, cancel: Cancellation) -> Reason | None:
        """From the cluster. The program that gives a kubeconfig its credentials may take as long as it likes: a signal
        does not wait for it.
        """
        where = self._instance.where
        return awaited(lambda: why_not_ready(where), cancel) if where is not None else None

    def _bootstrap(self, patience: float) -> tuple[bool, str]:
        """Whether it runs, and what buildx said. Being stopped in the middle of waiting costs nothing."""
        from shipper.processes import TimedOut

        try:
            started = self._run(self._inspect("--bootstrap"), max(1.0, patience))
        except TimedOut:
            return False, WAITING
        said = f"{started.stderr}\n{_errors(started.stdout)}"
        return started.ok and _state(started.stdout) == "running", said

    def state(self) -> str:
        """For people: "running, BuildKit v0.22.0", or that it is made on first use."""
        seen = self._run(self._inspect(), _CREATE)
        if not seen.ok or _errors(seen.stdout):
            raise builder_failure(f"{seen.stderr}\n{_errors(seen.stdout)}", self._instance)
        version = re.search(r"^BuildKit(?: version)?:\s+(\S+)", seen.stdout, re.MULTILINE)
        state = _state(seen.stdout) or "not there"
        if state == "running":
            return f"running, BuildKit {version[1]}" if version else "running"
        if self._instance.driver == "remote":
            raise UnreachableError(f"the builder in {self._instance.place} does not answer ({state})")
        return f"{state}; it is made or started by the first build"

    def _inspect(self, *options: str) -> list[str]:
        return ["docker", "buildx", "inspect", *options, self._instance.name]

    def _run(self, command: Sequence[str], patience: float) -> Finished:
        from shipper.processes import run

        return run(command, env=self.own, timeout=patience, cancel=self._cancel)


def _state(inspected: str) -> str:
    """That of the best node: with several pods one that runs is enough."""
    states = re.findall(r"^Status:\s+(\S+)", inspected, re.MULTILINE)
    return "running" if "running" in states else next(iter(states), "")


def _errors(inspected: str) -> str:
    return "\n".join(re.findall(r"^Error:\s+(.*)$", inspected, re.MULTILINE))
