"""TrivyScanner: the Scanner of `shipper.scanning.protocol`, on a local Trivy program.

Isolation (each part is tested with hostile repositories): absolute paths only, an empty working and home directory, no
TRIVY_ variable (the allow-list of shipper.processes), no configuration, ignore or secret-rule file, no update and no
telemetry. Verdicts come from the JSON; any status but 0 is an error.
"""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shipper.errors import ScannerError
from shipper.model import Finding, Image, ImageScan, ImageSettings, Lint, Sbom, ServiceSettings, Source, SourceScan
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.scanning.archive import may_hold_secrets
from shipper.scanning.arguments import suspicious_arguments
from shipper.scanning.canary import check_canary
from shipper.scanning.database import Database, ready_database
from shipper.scanning.dockerfile import without_ignores
from shipper.scanning.failure import printable, unexpected
from shipper.scanning.places import Places, find_places, forget_old, write_private
from shipper.scanning.policy import FIXTURE, RANKS
from shipper.scanning.program import ISOLATED, SCANNING, WITH_DATABASE, Program, find_program, work_directory
from shipper.scanning.report import Report, read_report

CopyContext = Callable[[ServiceSettings, ImageSettings, Path], None]
"""Writes the build context, as BuildKit will see it, below the directory."""

_LARGEST_DOCKERFILE = 1 << 20
_ALSO = {"filesystem": ("repository",)}
"""A folder with a .git in it is a "repository" to Trivy, scanned as any other folder."""


@dataclass(frozen=True)
class _Ready:
    """Everything that a scan stands on, looked at once for each scanner object."""

    program: Program
    places: Places
    database: Database
    canary: str


class TrivyScanner:
    """Thread-safe: stages scan side by side. Nothing is looked for before the first question.

    `db_max_age` and `timeout` in seconds (`[scan] db_max_age`, `timeout`). `binary` and `cache` come before
    SHIPPER_TRIVY and SHIPPER_TRIVY_CACHE.
    """

    def __init__(
        self,
        *,
        copy_context: CopyContext,
        binary: str | None = None,
        cache: str | Path | None = None,
        db_max_age: float = 7 * 86400.0,
        timeout: float = 600.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._copy_context = copy_context
        self._binary = binary
        self._cache = cache
        self._db_max_age = db_max_age
        self._timeout = timeout
        self._now = now
        self._lock = threading.Lock()
        self._kept: _Ready | None = None

    @staticmethod
    def checkup(db_max_age: float = 7 * 86400.0) -> str:
        """One line for `shipper doctor`: version, database, canary. Raises ScannerError."""
        ready = TrivyScanner(copy_context=_no_context, db_max_age=db_max_age)._ready(None)
        stale = f"; {ready.database.remark}" if ready.database.remark else ""
        return f"Trivy {ready.program.version}, database {ready.database.words()}, found {ready.canary}{stale}"

    def world(self) -> str:
        """Scanner version and database digest: a new database means a new scan."""
        ready = self._ready(None)
        return f"trivy {ready.program.version} {ready.database.digest}"

    def lint(self, service: ServiceSettings, image: ImageSettings, source: Source, cancel: Cancellation) -> Lint:
        """The Dockerfile alone, whatever lies beside it; `failed` when an argument looks like a secret."""
        text = _dockerfile(service, image)
        arguments = suspicious_arguments(image.build_args, text, image.dockerfile)
        with work_directory() as work:
            (work / "Dockerfile").write_text(without_ignores(text))
            args = ["config", str(work), "--misconfig-scanners", "dockerfile", "--skip-check-update"]
            report = self._scan(args, work, "check the Dockerfile", "filesystem", cancel)
        findings = tuple(
            _named_after(finding, image.dockerfile) for finding in report.findings() if finding.kind != "secret"
        )
        parsed = any(result.get("Type") == "dockerfile" for result in report.results)
        reasons = [_arguments_reason(arguments)] if arguments else []
        if not parsed:  # Trivy says nothing about what it cannot parse (measured): silence is no pass
            reasons.append(f"the scanner cannot parse {image.dockerfile}, so nothing else in it was checked")
        return Lint(
            subject=source.context_digest,
            status="failed" if reasons else "passed",
            reason="; ".join(reasons) or _summary(findings),
            findings=(*arguments, *findings),
        )

    def scan_source(
        self, service: ServiceSettings, image: ImageSettings, source: Source, cancel: Cancellation
    ) -> SourceScan:
        """Vulnerabilities and secrets of the build context; what .dockerignore keeps out is not looked at."""
        ready = self._ready(cancel)
        with work_directory() as work:
            context = work / "context"
            self._copy_context(service, image, context)
            context.mkdir(exist_ok=True)
            args = ["fs", str(context), "--scanners", "vuln,secret", *WITH_DATABASE]
            report = self._scan(args, work, "scan the build context", "filesystem", cancel)
        findings = report.findings()
        return SourceScan(
            subject=source.context_digest,
            status="passed",
            reason=_summary(findings, ready.database),
            findings=findings,
            remarks=_remarks(ready.database),
            database=ready.database.words(),
        )

    def scan_image(self, image: Image, archive: Path, cancel: Cancellation) -> ImageScan:
        """The saved image, which must be the very one that was built; keeps the report without what leaks."""
        ready = self._ready(cancel)
        with work_directory() as work, _layer_cache(ready.places, archive) as backend:
            args = ["image", "--input", str(archive.absolute()), "--scanners", "vuln,secret"]
            args += ["--image-config-scanners", "secret,misconfig", "--skip-check-update", *WITH_DATABASE]
            report = self._scan(args, work, "scan the image", "container_image", cancel, backend)
        _check_identity(report, image)
        findings = report.findings()
        kept = ready.places.reports / f"{_hex(image.config_digest)}-{_hex(ready.database.digest)[:12]}.json"
        write_private(kept, json.dumps(report.to_keep(image.reference)).encode())
        forget_old(ready.places.reports)
        return ImageScan(
            subject=image.config_digest,
            status="passed",
            reason=_summary(findings, ready.database),
            findings=findings,
            remarks=(*_remarks(ready.database), *_system_remarks(report)),
            database=ready.database.words(),
            fixture_database=ready.database.fixture,
            report=str(kept),
        )

    def sbom(self, image: Image, scan: ImageScan, cancel: Cancellation) -> Sbom:
        """CycloneDX beside the kept report."""
        ready = self._ready(cancel)
        kept = Path(scan.report)
        _check_identity(read_report(kept, "the image", "container_image"), image)
        with work_directory() as work:
            output = work / "bill.cdx.json"
            args = ["convert", "--format", "cyclonedx", "--output", str(output), *ISOLATED, str(kept)]
            ready.program.run(args, "write the bill of materials", timeout=self._timeout, cancel=cancel)
            content, components = _bill(output)
        path = kept.with_suffix(".cdx.json")
        write_private(path, content)
        return Sbom(
            subject=image.config_digest,
            status="passed",
            reason=f"{components} components",
            components=components,
            path=str(path),
        )

    def _ready(self, cancel: Cancellation | None) -> _Ready:
        with self._lock:
            if self._kept is None:
                program, places = find_program(self._binary), find_places(self._cache)
                database = ready_database(program, places, self._db_max_age, self._now(), cancel)
                self._kept = _Ready(program, places, database, check_canary(program, places, database, cancel))
            return self._kept

    def _scan(
        self, args: list[str], work: Path, what: str, artifact: str, cancel: Cancellation, backend: str = "memory"
    ) -> Report:
        ready = self._ready(cancel)
        output = work / "report.json"
        places = ["--cache-dir", str(ready.places.cache), "--output", str(output)]
        if args[0] != "config":
            places += ["--cache-backend", backend]
        limit = ["--timeout", f"{max(1, round(self._timeout))}s"]
        ready.program.run(
            [*args, *places, *limit, *SCANNING, *ISOLATED], what, timeout=self._timeout + 5, cancel=cancel
        )
        return read_report(output, what.partition(" ")[2], artifact, *_ALSO.get(artifact, ()))


def _dockerfile(service: ServiceSettings, image: ImageSettings) -> str:
    path = Path(service.root) / image.dockerfile
    try:
        if path.stat().st_size > _LARGEST_DOCKERFILE:
            raise OSError(0, "larger than 1 MB")
        return path.read_text(errors="replace")
    except OSError as error:
        raise ScannerError(
            f"the Dockerfile {image.dockerfile} cannot be read: {(error.strerror or 'no reason given').lower()}",
            hint="set image.dockerfile in shipper.toml",
            cause="dockerfile",
        ) from error


def _named_after(finding: Finding, dockerfile: str) -> Finding:
    """The scanner saw it under another name and in another place."""
    where = dockerfile + finding.where.removeprefix("Dockerfile") if finding.where else dockerfile
    return finding.model_copy(update={"where": where})


def _arguments_reason(arguments: tuple[Finding, ...]) -> str:
    names = ", ".join(dict.fromkeys(finding.where for finding in arguments))
    return printable(f"looks like a secret and would be readable in the image's history: {names}")


def _summary(findings: tuple[Finding, ...], database: Database | None = None) -> str:
    """One line; with a generated database never one that reads like a clean bill of health."""
    counts = [(name, sum(finding.severity == name for finding in findings)) for name in reversed(RANKS)]
    told = ", ".join(f"{count} {name}" for name, count in counts if count) or "no findings"
    return f"{told}; {FIXTURE}" if database is not None and database.fixture else told


def _remarks(database: Database) -> tuple[str, ...]:
    return tuple(remark for remark in (database.remark, FIXTURE if database.fixture else "") if remark)


def _system_remarks(report: Report) -> Iterator[str]:
    system = report.metadata().get("OS")
    if not isinstance(system, dict):
        yield "the scanner recognised no operating system in the image: only language packages were checked"
    elif system.get("EOSL") is True:
        name = printable(f"{system.get('Family', '')} {system.get('Name', '')}", 60)
        yield f"the image's operating system, {name}, gets no security updates any more"


def _check_identity(report: Report, image: Image) -> None:
    found = report.metadata().get("ImageID")
    if found != image.config_digest:
        raise unexpected("the image", f"it is about {printable(str(found), 80)}, not {image.config_digest}")
    if report.metadata().get("DiffIDs") != list(image.diff_ids):
        raise unexpected("the image", "its layers are not those that were built")


@contextmanager
def _layer_cache(places: Places, archive: Path) -> Iterator[str]:
    """ "fs" or "memory": Trivy's cache of layers serves one process at a time, and it keeps each layer's command."""
    if may_hold_secrets(archive):
        yield "memory"
        return
    with (places.state / "layers.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            backend = "fs"
        except OSError:
            backend = "memory"
        yield backend


def _bill(path: Path) -> tuple[bytes, int]:
    try:
        content = path.read_bytes()
        bill = parse_json(content)
        if bill["bomFormat"] != "CycloneDX":
            raise ValueError("not CycloneDX")
        return content, len(list(bill.get("components") or []))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise unexpected("the bill of materials", "it is no CycloneDX in JSON") from error


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _no_context(service: ServiceSettings, image: ImageSettings, directory: Path) -> None:
    raise AssertionError("a checkup copies no context")
