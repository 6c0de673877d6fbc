"""The services that stages ask for by name: engine, scanner, candidates, registry, target, secrets, clock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.images.protocol import Engine
from shipper.model import ImageSettings, ServiceSettings
from shipper.model.context import Clock, Secrets
from shipper.operations.workspace import Workspace
from shipper.registries.protocol import Registry
from shipper.scanning.protocol import Scanner
from shipper.smoke.protocol import Candidates
from shipper.targets import Target


@dataclass(frozen=True)
class Services:
    """Seeded into the pipeline by field name."""

    engine: Engine
    scanner: Scanner
    candidates: Candidates
    registry: Registry
    target: Target
    secrets: Secrets
    clock: Clock

    def by_name(self) -> dict[str, object]:
        """Parameter name to service."""
        return {
            "engine": self.engine,
            "scanner": self.scanner,
            "candidates": self.candidates,
            "registry": self.registry,
            "target": self.target,
            "secrets": self.secrets,
            "clock": self.clock,
        }


@contextlib.contextmanager
def open_services(workspace: Workspace, clock: Clock) -> Iterator[Services]:
    """Everything a release needs, closed afterwards. Raises UnreachableError (33), CredentialsError (32)."""
    from shipper.images.engine import connect
    from shipper.registries.oci import OciRegistry
    from shipper.scanning.trivy import TrivyScanner
    from shipper.smoke.candidates import DockerCandidates

    policy = workspace.settings.scan
    with connect(os.environ.get("DOCKER_HOST")) as engine:
        yield Services(
            engine=engine,
            scanner=TrivyScanner(copy_context=copy_context, db_max_age=policy.db_max_age, timeout=policy.timeout),
            candidates=DockerCandidates(),
            registry=OciRegistry(),
            target=workspace.connect(),
            secrets=workspace.secrets,
            clock=clock,
        )


def copy_context(service: ServiceSettings, image: ImageSettings, directory: Path) -> None:
    """The build context as BuildKit will see it, for the scanner."""
    from shipper.images.context import open_context

    open_context(service, image).copy_to(directory)
