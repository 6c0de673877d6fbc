"""The services that stages ask for by name: engine, scanner, candidates, registry, target, ledger, secrets, clock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.config import ResolvedSecrets
from shipper.images.protocol import Engine
from shipper.ledger.protocol import Ledger
from shipper.model import ImageSettings, Remark, Serves, ServiceSettings, Settings
from shipper.model.context import Secrets
from shipper.operations.ledgers import ledger_of
from shipper.operations.places import Place as KnownPlace
from shipper.operations.places import remember
from shipper.operations.telling import Account, Telling
from shipper.operations.workspace import Workspace
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.pipeline.reporter import StageReporter
from shipper.targets import Target


@dataclass(frozen=True)
class Place:
    """What every run needs that changes what serves."""

    target: Target
    ledger: Ledger
    secrets: Secrets
    clock: WallClock

    def by_name(self) -> dict[str, object]:
        """Parameter name to service."""
        return {"target": self.target, "ledger": self.ledger, "secrets": self.secrets, "clock": self.clock}

    def what_serves(self) -> Account:
        """For the last event of a run that failed. May raise PlatformError or ShipperError."""
        from shipper.rollout.known import known
        from shipper.rollout.way_back import way_back

        observation = self.target.observe()
        found = known(self.target, self.ledger, Remarks(), observation=observation)
        back = way_back(self.target, found, observation, self.clock.now())
        main, address = observation.main, observation.address
        if main is None:
            return None, back
        release = found.serving(main)
        serves = Serves(
            revision=main.name,
            number=release.number if release is not None else main.number,
            rollback_to=release.rollback_to if release is not None else None,
            release=main.release,
            fingerprint=main.fingerprint,
            address=address.url if address else None,
            host=address.host if address else None,
        )
        return serves, back


def open_place_of(workspace: Workspace, telling: Telling) -> Place:
    """Target and ledger. Raises UsageError (2), LedgerError (33)."""
    target = workspace.connect(StageReporter(telling.events, "rollout"), telling.cancel)
    place = Place(target, ledger_of(workspace), workspace.secrets, telling.clock)
    telling.what_serves = place.what_serves
    return place


def keep_in_mind(workspace: Workspace, place: Place, telling: Telling) -> None:
    """This user's machine remembers where the service is, so that a rollback finds it without its repository."""
    if "rollout" not in telling.events.timings:
        return
    known = KnownPlace(target=workspace.chosen, ledger=place.ledger.url, at=telling.clock.now())
    try:
        remember(workspace.service, workspace.environment, known, os.environ)
    except OSError as error:
        telling.events.emit(Remark(text=f"where this service is could not be kept in your data directory: {error}"))


@dataclass(frozen=True)
class Workshop:
    """What a run needs besides to build, to judge and to publish an image."""

    engine: Engine
    services: dict[str, object]


def require_secrets(workspace: Workspace, *, tried: bool = True, built: bool = True) -> None:
    """What has no value here is said before anything begins. Raises ConfigError (2)."""
    workspace.secrets.run()
    if tried and isinstance(workspace.secrets, ResolvedSecrets):
        workspace.secrets.stand_in_versions()
    if built:
        workspace.secrets.build()


@contextlib.contextmanager
def open_workshop(workspace: Workspace) -> Iterator[Workshop]:
    """Engine, scanner, candidates and registry, closed afterwards. Raises UnreachableError, CredentialsError."""
    from shipper.images.engine import connect
    from shipper.registries.oci import OciRegistry
    from shipper.registries.pull_login import pull_login
    from shipper.scanning.trivy import TrivyScanner
    from shipper.smoke.candidates import DockerCandidates

    policy = workspace.settings.scan
    with connect(os.environ.get("DOCKER_HOST"), pull_login) as engine:
        scanner = TrivyScanner(copy_context=copy_context, db_max_age=policy.db_max_age, timeout=policy.timeout)
        services: dict[str, object] = {
            "engine": engine,
            "scanner": scanner,
            "candidates": DockerCandidates(),
            "registry": OciRegistry(create_for=_create_for(workspace.settings)),
        }
        yield Workshop(engine, services)


def _create_for(settings: Settings) -> int | None:
    """How many ways back a repository that is made must keep; None where it must be there."""
    return settings.rollback.releases if settings.image.create_repository else None


def copy_context(service: ServiceSettings, image: ImageSettings, directory: Path) -> None:
    """The build context as BuildKit will see it, for the scanner."""
    from shipper.images.context import open_context

    open_context(service, image).copy_to(directory)
