"""The Trivy program: found once, its version known, run isolated from repository, user and environment."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shipper.errors import ScannerError, UnreachableError
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.processes import Finished, ProgramMissing, TimedOut, run
from shipper.scanning.failure import INSTALL, trivy_failed

MALICIOUS = frozenset({"0.69.4", "0.69.5", "0.69.6"})
"""Releases that an attacker had published (CVE-2026-33634, GHSA-69fq-xp46-6x23)."""

ISOLATED = ("--config=", "--quiet")
"""No trivy.yaml, and nothing on standard error but what went wrong."""

SCANNING = ("--ignorefile", "/dev/null", "--skip-version-check", "--disable-telemetry", "--format", "json")
WITH_DATABASE = ("--skip-db-update", "--skip-java-db-update", "--offline-scan", "--secret-config=", "--exit-code", "0")


@dataclass(frozen=True)
class Program:
    """A Trivy that may be used: absolute path and version."""

    path: str
    version: str

    def run(
        self,
        args: Sequence[str],
        what: str,
        *,
        timeout: float | None = None,
        cancel: Cancellation | None = None,
        hint: str = "",
        own_home: bool = True,
    ) -> Finished:
        """Run to its end; `what` completes "Trivy failed to …". Raises ScannerError for any status but 0.

        The working directory is empty, and so is the home directory: no configuration, plugin or module of anybody
        takes part (`own_home=False` keeps the user's, whose registry credentials a download may need).
        """
        with work_directory() as empty:
            home = {"HOME": str(empty), "XDG_DATA_HOME": str(empty), "XDG_CONFIG_HOME": str(empty)} if own_home else {}
            finished = _run([self.path, *args], empty, home, what, timeout, cancel)
        if finished.returncode != 0:
            raise trivy_failed(what, finished.returncode, finished.stderr or finished.stdout, hint)
        return finished

    def identity(self) -> str:
        """Path, size and time of the file: what changes when somebody exchanges it."""
        status = Path(self.path).stat()
        return f"{self.path} {self.version} {status.st_size} {status.st_mtime_ns}"


def find_program(given: str | None = None) -> Program:
    """`given`, else SHIPPER_TRIVY, else `trivy` in PATH. Raises ScannerError: missing, broken, malicious."""
    path = _find(given or os.environ.get("SHIPPER_TRIVY") or "trivy")
    with work_directory() as empty:
        finished = _run(
            [path, "version", "--format", "json"], empty, {"HOME": str(empty)}, "tell its version", 60, None
        )
    if finished.returncode != 0:
        raise trivy_failed("tell its version", finished.returncode, finished.stderr or finished.stdout, INSTALL)
    version = _version(finished.stdout, path)
    if version in MALICIOUS:
        raise ScannerError(
            f"Trivy {version} at {path} is a malicious release (CVE-2026-33634)",
            hint="remove it, treat what this machine could read as stolen, and install another version",
            cause="scanner-malicious",
        )
    return Program(path, version)


@contextmanager
def work_directory() -> Iterator[Path]:
    """A private directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="shipper-scan-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _find(wanted: str) -> str:
    """Relative entries of PATH are passed over: a repository that is the working directory is no place for programs."""
    entries = [entry for entry in os.get_exec_path() if Path(entry).is_absolute()]
    found = shutil.which(wanted, path=os.pathsep.join(entries))
    if found is None:
        raise ScannerError(f"Trivy was not found: {wanted}", hint=INSTALL, cause="scanner-missing")
    return str(Path(found).absolute())


def _run(
    args: list[str], cwd: Path, env: dict[str, str], what: str, timeout: float | None, cancel: Cancellation | None
) -> Finished:
    try:
        return run(args, cwd=cwd, env=env, timeout=timeout, cancel=cancel, keep=200)
    except ProgramMissing as error:
        raise ScannerError(f"Trivy cannot be run: {error.message}", hint=INSTALL, cause="scanner-missing") from error
    except TimedOut as error:
        raise ScannerError(
            f"Trivy did not {what} within {timeout:g} s",
            hint="raise scan.timeout, or leave large files out of the image",
            details=error.details,
            cause="scanner-timeout",
        ) from error
    except (UnreachableError, OSError) as error:
        raise ScannerError(f"Trivy cannot be run: {error}", hint=INSTALL, cause="scanner-failed") from error


def _version(output: str, path: str) -> str:
    try:
        version = parse_json(output)["Version"]
    except (ValueError, KeyError, TypeError):
        version = None
    if not isinstance(version, str) or not version:
        raise ScannerError(f"{path} does not say which version of Trivy it is", hint=INSTALL, cause="scanner-report")
    return version.removeprefix("v")
