"""Trivy's JSON into findings. What is not exactly as expected raises: a report that we misread must not pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shipper.model import Finding
from shipper.model.json_text import parse_json
from shipper.scanning.failure import printable, unexpected
from shipper.scanning.policy import RANKS

LARGEST = 200_000_000
"""Bytes. The report of a 5 GB image with 3,000 packages has about 20 MB."""

_SCHEMA = 2
_LEAKS = frozenset({"CreatedBy", "Code", "Match", "ImageConfig"})
"""Members that repeat build arguments, environment values and file contents (measured on 0.76)."""


class Report:
    """A checked report: `Results` is a list of objects and `what` names it in messages."""

    def __init__(self, raw: dict[str, Any], what: str) -> None:
        self.raw = raw
        self.what = what
        self.results = _objects(raw.get("Results"), what, "Results")

    def findings(self) -> tuple[Finding, ...]:
        """Every finding once, worst first."""
        unique = dict.fromkeys(self._all())
        return tuple(sorted(unique, key=lambda one: (-RANKS[one.severity], one.kind, one.where, one.id)))

    def packages(self) -> int:
        """How many packages Trivy recognised."""
        return sum(len(_objects(result.get("Packages"), self.what, "Packages")) for result in self.results)

    def metadata(self) -> dict[str, Any]:
        """`Metadata`, empty when absent."""
        found = self.raw.get("Metadata") or {}
        if not isinstance(found, dict):
            raise unexpected(self.what, "Metadata is not an object")
        return found

    def to_keep(self, name: str) -> dict[str, Any]:
        """What may be written to disk and is enough for a bill of materials: no secrets, no build arguments.

        `name` stands where the archive's path was, which is no name for a bill of materials.
        """
        kept = [
            {key: result[key] for key in ("Target", "Class", "Type", "Packages", "Vulnerabilities") if key in result}
            for result in self.results
            if result.get("Class") in ("os-pkgs", "lang-pkgs")
        ]
        metadata = {
            key: value
            for key, value in self.metadata().items()
            if key in ("Size", "OS", "ImageID", "DiffIDs", "RepoTags", "RepoDigests")
        }
        head = ("SchemaVersion", "Trivy", "ReportID", "CreatedAt", "ArtifactID", "ArtifactType")
        top = {key: self.raw[key] for key in head if key in self.raw}
        scrubbed: dict[str, Any] = _scrub({**top, "ArtifactName": name, "Metadata": metadata, "Results": kept})
        return scrubbed

    def _all(self) -> Iterator[Finding]:
        for result in self.results:
            target = self._place(_text(result, "Target", self.what))
            for raw in _objects(result.get("Vulnerabilities"), self.what, "Vulnerabilities"):
                yield self._vulnerability(raw)
            for raw in _objects(result.get("Secrets"), self.what, "Secrets"):
                yield self._secret(raw, target)
            for raw in _objects(result.get("Misconfigurations"), self.what, "Misconfigurations"):
                yield self._misconfiguration(raw, target)

    def _place(self, target: str) -> str:
        """What is about the artifact itself names the archive's path on this machine: it is the configuration."""
        return "the image's configuration" if target == self.raw.get("ArtifactName") else target

    def _vulnerability(self, raw: dict[str, Any]) -> Finding:
        package, version = _text(raw, "PkgName", self.what), _text(raw, "InstalledVersion", self.what)
        return Finding(
            id=_text(raw, "VulnerabilityID", self.what),
            title=_text(raw, "Title", self.what, optional=True),
            severity=self._severity(raw),
            where=f"{package} {version}",
            fix=_text(raw, "FixedVersion", self.what, optional=True),
            kind="vulnerability",
        )

    def _secret(self, raw: dict[str, Any], target: str) -> Finding:
        """Rule and place only: matches and the layer's command may repeat the secret."""
        line = raw.get("StartLine")
        return Finding(
            id=_text(raw, "RuleID", self.what),
            title=_text(raw, "Title", self.what, optional=True),
            severity=self._severity(raw),
            where=f"{target}:{line}" if isinstance(line, int) and line > 0 else target,
            fix="remove it from the image and every layer, and replace the secret: it is known now",
            kind="secret",
        )

    def _misconfiguration(self, raw: dict[str, Any], target: str) -> Finding:
        """The check's own title: its message may repeat values."""
        cause = raw.get("CauseMetadata")
        line = cause.get("StartLine") if isinstance(cause, dict) else None
        return Finding(
            id=_text(raw, "ID", self.what),
            title=_text(raw, "Title", self.what, optional=True),
            severity=self._severity(raw),
            where=f"{target}:{line}" if isinstance(line, int) and line > 0 else target,
            fix=_text(raw, "Resolution", self.what, optional=True),
            kind="misconfiguration",
        )

    def _severity(self, raw: dict[str, Any]) -> Any:
        severity = _text(raw, "Severity", self.what).lower()
        if severity not in RANKS:
            raise unexpected(self.what, f"severity {printable(severity, 40)!r}")
        return severity


def read_report(path: Path, what: str, *artifacts: str) -> Report:
    """The report at `path` about `what`, of one of these ArtifactTypes. Raises ScannerError."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise unexpected(what, f"it has {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f} MB")
        raw = parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise unexpected(what, "it wrote none") from error
    except (OSError, ValueError, RecursionError) as error:
        raise unexpected(what, "it is no complete JSON") from error
    if not isinstance(raw, dict) or raw.get("SchemaVersion") != _SCHEMA:
        raise unexpected(what, f"it is not of schema {_SCHEMA}")
    if raw.get("ArtifactType") not in artifacts:
        raise unexpected(what, f"it is about {printable(repr(raw.get('ArtifactType')), 40)}, not {artifacts[0]}")
    return Report(raw, what)


def _objects(value: Any, what: str, name: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise unexpected(what, f"{name} is not a list of objects")
    return value


def _text(raw: dict[str, Any], key: str, what: str, *, optional: bool = False) -> str:
    value = raw.get(key)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not (value or optional):
        raise unexpected(what, f"{key} is missing or no text")
    return printable(value)


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _scrub(member) for key, member in value.items() if key not in _LEAKS}
    if isinstance(value, list):
        return [_scrub(member) for member in value]
    return value
