"""Which project of Google Cloud the contract is played on, and how what is made there is called."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.conformance.cloudrun_place import Transport

PREFIX = "contract"
"""Every service and secret of this test begins with it, and every package of images is `contract-<run>`."""

LABEL = "shipper-contract"
"""Label of everything that can carry one; its value is the run's id."""

NEEDED = (
    "SHIPPER_TEST_GCP_PROJECT is not set: it names a real project in which this may make services (CONTRIBUTING.md)"
)


@dataclass(frozen=True)
class Project:
    """A project, from SHIPPER_TEST_GCP_*. `run` begins with the second of its start, in hexadecimal."""

    project: str
    region: str
    repository: str
    """Of Artifact Registry, without the image: `<location>-docker.pkg.dev/<project>/<repository>`."""
    access: str
    run: str
    endpoint: str | None = None
    """The rig's; None is Google itself."""
    everything: bool = False

    @property
    def package(self) -> str:
        """Where this run's images go, and nobody else's."""
        return f"{self.repository}/{PREFIX}-{self.run}"

    @property
    def parent(self) -> str:
        """In the APIs' words."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def startup(self) -> float:
        """Seconds that a good image may take: a first pull on the real service takes longest."""
        return 60 if self.endpoint is None else 10

    def own(self, transport: Transport) -> dict[str, Any]:
        """The target's settings."""
        there = {"endpoint": self.endpoint} if self.endpoint else {}
        named = {"project": self.project, "region": self.region, "access": self.access, "labels": {LABEL: self.run}}
        return {**named, "transport": transport, **there}

    def sooner(self, seconds: float) -> Project:
        """As if this run had begun so many seconds ago: for tests of the sweep."""
        return replace(self, run=run_id(time.time() - seconds))


def project_of(environ: Mapping[str, str] = os.environ) -> Project | None:
    """None without SHIPPER_TEST_GCP_PROJECT."""
    project = environ.get("SHIPPER_TEST_GCP_PROJECT")
    if not project:
        return None
    region = environ.get("SHIPPER_TEST_GCP_REGION", "us-central1")
    return Project(
        project=project,
        region=region,
        repository=environ.get("SHIPPER_TEST_GCP_REPOSITORY", f"{region}-docker.pkg.dev/{project}/shipper-contract"),
        access=environ.get("SHIPPER_TEST_GCP_ACCESS", "public"),
        run=environ.get("SHIPPER_TEST_GCP_RUN") or run_id(),
        endpoint=environ.get("SHIPPER_TEST_GCP_ENDPOINT"),
        everything=environ.get("SHIPPER_TEST_GCP_ALL", "") not in ("", "0"),
    )


def run_id(now: float | None = None) -> str:
    """`r` and the second in hexadecimal: two runs of one second would share their images, and nothing else."""
    return f"r{int(now if now is not None else time.time()):x}"


def started(run: str) -> float | None:
    """Unix seconds at which a run with this id began; None for what is no run's id."""
    try:
        return float(int(run[1:], 16)) if run.startswith("r") else None
    except ValueError:
        return None
