"""A command that is run once in a release's image, beside the service: `[rollout] before`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shipper.model import Release
from shipper.model.context import Cancellation, Reporter
from shipper.targets import Conflict, NotFound, PlatformError, container_options
from shipper_targets.docker.engine import translated
from shipper_targets.docker.render import LABEL, revision_name
from shipper_targets.docker.waiting import patiently

if TYPE_CHECKING:
    from docker import DockerClient

ONCE = LABEL + "once"
"""The label of such a container: namespace, service and environment."""


class Once:
    """Such commands of one service on one host."""

    def __init__(
        self, client: DockerClient, namespace: str, key: str, report: Reporter | None, cancel: Cancellation | None
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._owner = f"{namespace}.{key}"
        self._report = report
        self._cancel = cancel

    def run(self, release: Release, image: str, command: Sequence[str], secrets_volume: str | None) -> int:
        """Its exit status; its output is told line by line. The container is gone afterwards, also when cancelled.

        Raises Conflict while a command of an earlier run is still at work, Invalid when the engine cannot start it.
        """
        self._clear()
        with self._container(release, image, command, secrets_volume) as name:
            with translated(f"start {name}"):
                self._client.api.start(name)
            return patiently(lambda: self._followed(name), self._cancel)

    @contextlib.contextmanager
    def _container(
        self, release: Release, image: str, command: Sequence[str], secrets_volume: str | None
    ) -> Iterator[str]:
        run, root = release.settings.run, release.settings.service.root
        name = f"{self._namespace}-{revision_name(release)}-once"
        options = container_options(run, root=root, secrets_volume=secrets_volume, labels={ONCE: self._owner})
        options["command"] = list(command)
        with translated(f"make the container {name}"):
            self._client.containers.create(image, name=name, network=self._namespace, **options)
        try:
            yield name
        finally:
            self._remove(name)

    def _remove(self, name: str) -> None:
        """How the command ended is known: whether its container goes now is no reason to say anything else."""
        try:
            with translated(f"remove {name}"):
                self._client.api.remove_container(name, force=True, v=True)
        except NotFound:
            return
        except PlatformError as error:
            if self._report is not None:
                self._report.remark(f"the container {name} could not be removed ({error}); the next release does it")

    def _followed(self, name: str) -> int:
        """To its end; the log is over when the container is."""
        left = b""
        with translated(f"follow the log of {name}"):
            for chunk in self._client.api.logs(name, stream=True, follow=True):
                *whole, left = (left + chunk).split(b"\n")
                self._tell(whole)
            self._tell([left] if left else [])
        with translated(f"wait for {name}"):
            return int(self._client.api.wait(name)["StatusCode"])

    def _tell(self, lines: Sequence[bytes]) -> None:
        for line in lines if self._report is not None else ():
            assert self._report is not None
            self._report.log(line.decode("utf-8", "replace").rstrip("\r"))

    def _clear(self) -> None:
        """What killed runs left; one that is still at work is not disturbed, and not overlapped."""
        with translated("list the containers"):
            records = self._client.api.containers(all=True, filters={"label": [f"{ONCE}={self._owner}"]})
        for record in records:
            name = record["Names"][0].lstrip("/")
            if record["State"] == "running":
                raise Conflict(
                    f"a command that an earlier run started is still at work: {name} "
                    f"(see `docker logs {name}`; if it hangs, `docker rm -f {name}`, then release again)"
                )
            with contextlib.suppress(NotFound), translated(f"remove {name}"):
                self._client.api.remove_container(name, force=True, v=True)
