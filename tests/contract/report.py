"""What a run found, as a file: answers to the open questions, scenarios and how they ended, what was deleted."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.project import Project


@dataclass
class Report:
    """Written at the end of the session, and after each answer: a run that is killed has said what it knew."""

    project: Project
    answers: list[dict[str, Any]] = field(default_factory=list)
    scenarios: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """SHIPPER_TEST_GCP_REPORT, or `.shipper/contract-<run>.json` where the test was started."""
        return Path(os.environ.get("SHIPPER_TEST_GCP_REPORT") or f".shipper/contract-{self.project.run}.json")

    def answered(self, name: str, asked: str, believed: str, found: str, calls: list[dict[str, Any]]) -> None:
        """`calls` are the platform's own words, in their order."""
        self.answers.append(
            {"name": name, "asked": asked, "believed": believed, "found": found, "same": found == believed,
             "words": calls}
        )  # fmt: skip
        self.write()

    def played(self, transport: str, scenario: str, ended: str) -> None:
        """`ended` is passed or FAILED."""
        self.scenarios[f"{scenario} ({transport})"] = ended
        self.write()

    def write(self) -> None:
        """All of it. The platform's words name the project; no account and no token is in it."""
        where = "the rig" if self.project.endpoint else "Google Cloud"
        content = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "run": self.project.run,
            "where": f"{where}, {self.project.region}",
            "answers": self.answers,
            "scenarios": self.scenarios,
            "deleted": self.deleted,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(content, indent=1) + "\n")
