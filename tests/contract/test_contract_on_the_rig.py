"""The contract test is known to run: the same files, the same code path, against the rig's Google Cloud.

What it plays there is a small part; the suite itself is played on the rig by tests/conformance.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.by_hand import RUN, ByHand
from tests.contract.images import Images, registered
from tests.contract.leftovers import clean_up, sweep
from tests.contract.place import ContractRig
from tests.contract.project import NEEDED, Project, project_of
from tests.contract.questions import QUESTIONS
from tests.contract.test_contract_scenarios import CHOSEN, OVER_REST, chosen
from tests.rig.google.handle import GoogleRig

if TYPE_CHECKING:
    from tests.rig.api import Rig

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Machine:
    """Somebody's machine, with a key for a project of the rig and nothing else that is special."""

    project: Project
    environment: dict[str, str]
    report: Path

    def plays(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """pytest on the contract's two files."""
        files = [HERE / "test_contract_scenarios.py", HERE / "test_contract_questions.py"]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files), *words],
            cwd=HERE.parents[1],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=500,
        )

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.report.read_text())
        return found


@pytest.fixture
def machine(google_rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    from tests.rig.google.identity import Identity

    name = f"contract-{uuid.uuid4().hex[:8]}"
    identity = Identity(google_rig.google.folder / "identity")
    key = identity.key_file(tmp_path / "key.json", f"ci@{name}.iam.gserviceaccount.com")
    own = {
        **google_rig.google.env,
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "SHIPPER_TEST_GCP_PROJECT": name,
        "SHIPPER_TEST_GCP_ENDPOINT": google_rig.google.endpoint,
        "SHIPPER_TEST_GCP_REPORT": str(tmp_path / "report.json"),
    }
    for variable, value in own.items():
        monkeypatch.setenv(variable, value)
    project = project_of(os.environ)
    assert project is not None
    hands = GoogleRig(google_rig.google.endpoint)
    hands.need_tokens(name)
    yield Machine(project, dict(os.environ), tmp_path / "report.json")
    hands.wipe(name)


def services(project: Project) -> list[str]:
    found = ByHand(project).needed("GET", RUN, f"{project.parent}/services")
    return [one["name"].rpartition("/")[2] for one in found.get("services", [])]


def test_scenarios_run_over_both_transports_and_leave_nothing(machine: Machine) -> None:
    done = machine.plays("-k", "grpc and rollback and its-ledger or rest and first-release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.told["scenarios"] == {
        "a rollback without its ledger (grpc)": "passed",
        "first release (rest)": "passed",
    }
    assert services(machine.project) == []
    images = f"{registered(machine.project).resource}/dockerImages"
    assert ByHand(machine.project).needed("GET", "artifactregistry.googleapis.com/v1", images).get("dockerImages") in (
        None,
        [],
    )
    assert machine.told["deleted"], "the images of the run were there, and are told as deleted"


def test_a_question_is_answered_and_the_report_has_the_words(machine: Machine) -> None:
    done = machine.plays("-k", "a-stale-etag or a-target-without-a-type")
    assert done.returncode == 0, done.stdout + done.stderr
    answers = {one["name"]: one for one in machine.told["answers"]}
    assert answers.keys() == {"a stale etag", "a target without a type"}
    stale = answers["a stale etag"]
    assert stale["same"]
    assert stale["words"][-1]["error"]["status"] == "ABORTED"


@pytest.mark.sweep
def test_every_question_has_the_answer_that_the_rig_gives(machine: Machine) -> None:
    done = machine.plays("-k", "the_rig_is_right_about")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["name"] for one in machine.told["answers"]] == [one.name for one in QUESTIONS]


def test_an_answer_that_is_not_as_believed_fails_and_is_reported(machine: Machine) -> None:
    GoogleRig(machine.project.endpoint or "").fail(machine.project.project, "UpdateService", "INTERNAL", times=1)
    done = machine.plays("-k", "a-target-without-a-type")
    assert done.returncode == 1, done.stdout + done.stderr
    answer = machine.told["answers"][0]
    assert (answer["same"], answer["found"]) == (False, "500 INTERNAL")


def test_a_scenario_that_fails_is_reported_and_cleaned_up(machine: Machine) -> None:
    hands = GoogleRig(machine.project.endpoint or "")
    hands.deny(machine.project.project, "run.services.update")
    done = machine.plays("-k", "rest and rollback")
    assert done.returncode == 1, done.stdout + done.stderr
    assert machine.told["scenarios"] == {"rollback (rest)": "FAILED"}
    assert services(machine.project) == []


def test_what_an_older_run_left_behind_goes_after_a_day(machine: Machine) -> None:
    now = machine.project
    old, young = now.sooner(25 * 3600), now.sooner(3600)
    for run in (old, young):
        place = ContractRig(run, "rest", Images(run)).fresh()
        place.adopt("left behind")
        place.store_secret("TOKEN", "left behind")
    assert len(services(now)) == 2
    deleted = sweep(now)
    assert {name.rpartition("/")[2].split("-")[1] for name in deleted} == {old.run}
    assert {name.split("/")[-2] for name in deleted} == {"services", "secrets", "packages"}
    assert [name.split("-")[1] for name in services(now)] == [young.run]
    clean_up(young)
    assert services(now) == []


def test_without_a_project_it_is_skipped_and_says_what_is_needed(machine: Machine) -> None:
    started = time.monotonic()
    done = machine.plays("-rs", SHIPPER_TEST_GCP_PROJECT="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert NEEDED.partition(":")[0] in done.stdout
    assert "passed" not in done.stdout
    assert not machine.report.exists()
    assert time.monotonic() - started < 60, "nothing was asked of anybody"


def test_the_chosen_scenarios_are_played_and_all_when_asked_for(machine: Machine) -> None:
    assert {one.name for one in chosen(CHOSEN)} == {*CHOSEN}, "a name that no scenario has is never played"
    assert {one.name for one in chosen(OVER_REST)} == {*OVER_REST}
    some = machine.plays("--collect-only", "-q").stdout
    everything = machine.plays("--collect-only", "-q", SHIPPER_TEST_GCP_ALL="1").stdout
    assert collected(everything) > 5 * collected(some)


def collected(said: str) -> int:
    """Scenarios, as pytest counts them with -q -q."""
    return int(said.partition("test_contract_scenarios.py: ")[2].split()[0])
