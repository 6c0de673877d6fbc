"""The Cloud Run adapter passes the suite on a real project: a chosen part, or all of it with SHIPPER_TEST_GCP_ALL=1.

Skipped without SHIPPER_TEST_GCP_PROJECT. It costs a little and takes long: CONTRIBUTING.md.
"""

from __future__ import annotations

import os

import pytest

from shipper.targets.conformance import Scenario, scenarios_for
from shipper_targets.cloudrun.settings import TRAITS
from tests.conformance.cloudrun_place import Transport
from tests.contract.images import Images
from tests.contract.place import ContractRig
from tests.contract.project import NEEDED, Project, project_of
from tests.contract.report import Report

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(project_of(os.environ) is None, reason=NEEDED),
]

CHOSEN = (
    "first release", "second release", "the same release twice", "a release of configuration alone",
    "a release with a new secret value", "canary", "no request fails in a canary", "never ready", "crash loop",
    "missing image", "a first release that fails", "put back in a canary", "rollback", "a rollback without its ledger",
    "a rollback without its revision", "a release after a rollback", "drift stops a release", "the stamp lost",
    "the first release over something foreign",
)  # fmt: skip
"""What the rig's imitation decides most; each is a release or two."""

OVER_REST = ("first release", "canary", "rollback")


def chosen(names: tuple[str, ...]) -> list[Scenario]:
    """Those, or all that this target can play."""
    project = project_of(os.environ) or _nowhere()
    rig = ContractRig(project, "grpc", Images(project))
    playable = scenarios_for(TRAITS, rig.powers)[0]
    return [one for one in playable if project.everything or one.name in names]


def _nowhere() -> Project:
    """For the list of scenarios alone: nothing is asked of it."""
    return Project("nowhere", "us-central1", "us-central1-docker.pkg.dev/nowhere/none", "public", "r0")


def _id(scenario: Scenario) -> str:
    return scenario.name.replace(" ", "-")


@pytest.mark.parametrize("scenario", chosen(CHOSEN), ids=_id)
def test_contract_over_grpc(scenario: Scenario, contract: tuple[Project, Images, Report]) -> None:
    play(scenario, "grpc", *contract)


@pytest.mark.parametrize("scenario", chosen(OVER_REST), ids=_id)
def test_contract_over_rest(scenario: Scenario, contract: tuple[Project, Images, Report]) -> None:
    play(scenario, "rest", *contract)


def play(scenario: Scenario, transport: Transport, project: Project, images: Images, report: Report) -> None:
    report.played(transport, scenario.name, "FAILED")
    scenario.play(ContractRig(project, transport, images))
    report.played(transport, scenario.name, "passed")
