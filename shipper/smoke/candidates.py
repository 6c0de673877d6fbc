"""Trying out candidates on the Docker engine that builds: this machine's, or one over ssh."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.errors import ConfigError, ShipperError
from shipper.model import (
    HealthSettings,
    Image,
    RunSettings,
    ServiceSettings,
    Smoke,
    SmokeSettings,
)
from shipper.model.context import Cancellation, Reporter, Secrets
from shipper.model.secret import Secret
from shipper.smoke.candidate import Candidate
from shipper.smoke.engine import connect, engine_errors, require_reachable
from shipper.smoke.keeping import keep_log, log_directory
from shipper.smoke.owner import owner_labels
from shipper.smoke.report import without_gpus
from shipper.smoke.secret_volume import secret_volume
from shipper.smoke.stand_ins import as_tried
from shipper.smoke.sweeping import sweep
from shipper.smoke.trial import Trial
from shipper.smoke.trying import try_candidate
from shipper.targets.container import container_options
from shipper.targets.docker_client import is_local

if TYPE_CHECKING:
    from docker import DockerClient

_SPARE = 600.0  # seconds beyond all configured time-outs, after which nobody can need a candidate any more


class DockerCandidates:
    """Implements shipper.smoke.protocol.Candidates. Connects at the first use; thread-safe.

    `client` is the engine to use (by default the one that builds), `logs` the directory where logs are kept.
    """

    def __init__(self, client: DockerClient | None = None, logs: Path | None = None) -> None:
        self._given = client
        self._logs = logs

    def try_out(
        self,
        image: Image,
        service: ServiceSettings,
        run: RunSettings,
        health: HealthSettings,
        smoke: SmokeSettings,
        secrets: Secrets,
        report: Reporter,
        cancel: Cancellation,
    ) -> Smoke:
        """Run the image as production would, ask it, end it. Leaves no container behind, whatever happens.

        Raises SmokeError (14) when the test itself could not run, UnreachableError (33), ConfigError (2) for a
        volume or a secret that is not there, Interrupted.
        """
        cancel.check()
        gpus, run = run.gpu, as_tried(run, smoke)
        require_reachable(self._client)
        if is_local(self._client):
            _require_volumes(run, service.root)
        if swept := sweep(self._client):
            report.remark(f"removed {swept} candidate(s) of runs that were killed")
        values = secrets.trial()
        labels = _labels(service, run, health, smoke)
        files, variables = (values, ()) if run.secrets_as == "files" else ((), values)
        with (
            secret_volume(self._client, image, run.user or image.user, files, labels) as volume,
            self._candidate(image, service, run, volume, variables, labels, cancel) as candidate,
        ):
            report.progress("creating the candidate")
            candidate.create()
            cancel.check()
            trial = Trial(
                candidate=candidate,
                image=image,
                engine_platform=self._platform,
                run=run,
                health=health,
                smoke=smoke,
                secrets=values,
                report=report,
                cancel=cancel,
                started=time.monotonic(),
            )
            found = without_gpus(try_candidate(trial), asked=gpus, given=run.gpu)
            return self._with_log(trial, service, found)

    def world(self) -> str:
        """Engine id and version: where it was tried."""
        info = self._info
        return f"{info.get('ID')} {info.get('ServerVersion')} {info.get('OSType')}/{info.get('Architecture')}"

    @contextmanager
    def _candidate(
        self,
        image: Image,
        service: ServiceSettings,
        run: RunSettings,
        volume: str | None,
        variables: Sequence[Secret],
        labels: Mapping[str, str],
        cancel: Cancellation,
    ) -> Iterator[Candidate]:
        """A candidate that is gone afterwards, and from the moment of cancellation on."""
        options = container_options(run, root=service.root, secrets_volume=volume, labels=labels)
        options["environment"] |= {secret.name: os.fsdecode(secret.reveal()) for secret in variables}
        candidate = Candidate(self._client, image, run.port, options)
        try:
            # From the cancelling thread: that also ends whatever the trial's own thread waits for.
            with cancel.on_cancel(candidate.destroy):
                yield candidate
        except ShipperError:
            cancel.check()  # errors that come of pulling the container away are not worth telling
            raise
        finally:
            candidate.destroy()

    def _with_log(self, trial: Trial, service: ServiceSettings, found: Smoke) -> Smoke:
        text = "\n".join(trial.log_lines())
        name = f"{service.service}-{service.environment}-{trial.candidate.name.rpartition('-')[2]}"
        try:
            path = keep_log(text, self._logs or log_directory(), name)
        except OSError as error:
            trial.report.remark(f"the candidate's log could not be kept: {error.strerror or error}")
            return found
        return found.model_copy(update={"log_path": str(path)})

    @cached_property
    def _client(self) -> DockerClient:
        return self._given or connect()

    @cached_property
    def _info(self) -> dict[str, Any]:
        with engine_errors("ask the engine what it is"):
            info: dict[str, Any] = self._client.api.info()
        return info

    @cached_property
    def _platform(self) -> str:
        with engine_errors("ask the engine for its platform"):
            version: dict[str, Any] = self._client.api.version(api_version=False)
        return f"{version.get('Os', 'linux')}/{version.get('Arch', '')}"


def _require_volumes(run: RunSettings, root: str) -> None:
    missing = [volume.source for volume in run.volumes if not Path(root, volume.source).exists()]
    if missing:
        raise ConfigError(
            f"the volume source {missing[0]} is not there",
            hint="correct [[run.volumes]] source: the engine would mount an empty directory instead",
            details=tuple(f"run.volumes: {source} does not exist" for source in missing),
        )


def _labels(service: ServiceSettings, run: RunSettings, health: HealthSettings, smoke: SmokeSettings) -> dict[str, str]:
    own = {"shipper.smoke.service": f"{service.service}/{service.environment}"}
    return {**owner_labels(time.time(), _lifetime(run, health, smoke)), **own}


def _lifetime(run: RunSettings, health: HealthSettings, smoke: SmokeSettings) -> float:
    return health.startup + sum(request.timeout for request in smoke.requests) + run.stop_grace + _SPARE
