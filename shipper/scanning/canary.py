"""Canaries: packages with well-known flaws that a usable database finds. Before that, "no findings" means nothing.

A database without advisories gives status 0 and no findings (measured): only asking a question with a known answer
tells it from a clean image.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from shipper.errors import ScannerError
from shipper.model.context import Cancellation
from shipper.scanning.database import Database
from shipper.scanning.failure import REFRESH
from shipper.scanning.places import Places, write_private
from shipper.scanning.program import ISOLATED, SCANNING, WITH_DATABASE, Program, work_directory
from shipper.scanning.report import read_report

REAL = (
    ("pkg:pypi/django@1.11", "Django 1.11"),
    ("pkg:deb/debian/openssl@3.0.0-1?arch=amd64&distro=debian-12", "openssl"),
)
"""Dozens of published flaws each, one for each way in which Trivy looks up packages (language, system)."""

FIXTURE = (("pkg:pypi/shipper-canary@1.0", "shipper-canary 1.0"),)
"""What tests/rig/database.py puts into a generated database."""

_NUMBER = 1
_TIMEOUT = 300.0


def check_canary(program: Program, places: Places, database: Database, cancel: Cancellation | None = None) -> str:
    """Which canaries were found, for people. Raises ScannerError when one was not.

    Asked once for each database and program; the answer is kept.
    """
    canaries = FIXTURE if database.fixture else REAL
    names = ", ".join(name for _, name in canaries)
    seen = f"{_NUMBER} {database.digest} {names} {program.identity()}"
    note = places.state / f"canary-{hashlib.sha256(seen.encode()).hexdigest()[:32]}"
    if not note.exists():
        _ask(program, places, canaries, cancel)
        write_private(note, b"")
    return names


def _ask(program: Program, places: Places, canaries: tuple[tuple[str, str], ...], cancel: Cancellation | None) -> None:
    with work_directory() as work:
        asked, answer = work / "canary.cdx.json", work / "canary.report.json"
        asked.write_text(json.dumps(_bill(canaries)))
        args = ["sbom", str(asked), "--scanners", "vuln", "--cache-dir", str(places.cache)]
        args += ["--cache-backend", "memory", "--output", str(answer), *SCANNING, *WITH_DATABASE[:3], *ISOLATED]
        hint = REFRESH.format(cache=places.cache)
        program.run(args, "look up a package that is known to be bad", timeout=_TIMEOUT, cancel=cancel, hint=hint)
        report = read_report(answer, "a package that is known to be bad", "cyclonedx")
    found = {finding.where.partition(" ")[0] for finding in report.findings() if finding.kind == "vulnerability"}
    missed = [name for purl, name in canaries if _package(purl) not in found]
    if missed:
        raise ScannerError(
            f"the vulnerability database does not know that {missed[0]} is vulnerable: it is empty or broken",
            hint=hint,
            cause="database-canary",
        )


def _bill(canaries: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """A bill of materials in CycloneDX 1.5: Debian 12 with exactly these packages."""
    packages = [
        {
            "bom-ref": purl,
            "type": "library",
            "name": _package(purl),
            "version": purl.partition("?")[0].rpartition("@")[2],
            "purl": purl,
        }
        for purl, _ in canaries
    ]
    system = {"bom-ref": "os", "type": "operating-system", "name": "debian", "version": "12"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"bom-ref": "canary", "type": "container", "name": "canary"}},
        "components": [system, *packages],
        "dependencies": [
            {"ref": "canary", "dependsOn": ["os"]},
            {"ref": "os", "dependsOn": [purl for purl, _ in canaries if purl.startswith("pkg:deb")]},
        ],
    }


def _package(purl: str) -> str:
    return purl.partition("@")[0].rpartition("/")[2]
