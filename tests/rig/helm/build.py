"""Helm 3, built from go/go.mod once and kept in the user's cache. For `make bench` and `make sweep` only.

    python3 -m tests.rig.helm.build      builds it at a low priority, and prints the path and the time

    ~/.cache/shipper-rig/helm/<go.mod and go.sum>-<go>/helm    (XDG_CACHE_HOME is respected)

Cold 2 min 45 s on two busy cores, 61 MB; warm 0.1 s. Its flags are those of Helm's own Makefile. Standard library only.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from tests.rig.go_programs import GoPrograms
from tests.rig.machine import Machine, survey
from tests.rig.shell import RigError

MODULE = Path(__file__).parent / "go"
_HELM, _CLIENT = "helm.sh/helm/v3", "k8s.io/client-go"


def look() -> Path | None:
    """The built program; None when there is none."""
    folder = _programs().look()
    return None if folder is None else folder / "helm"


def make(machine: Machine) -> Path:
    """The same, built when it is missing; waits for a build that another process has begun. Raises RigError."""
    return _programs().make(machine) / "helm"


def version(module: str = _HELM) -> str:
    """What go.mod pins, without the v."""
    found = re.search(rf"^\s*{re.escape(module)} v(\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise RigError(f"{MODULE}/go.mod does not pin {module}")
    return found[1]


def _programs() -> GoPrograms:
    major, minor, _ = version(_CLIENT).split(".")  # client-go 0.34 is that of Kubernetes 1.34
    stamps = {f"{_HELM}/internal/version.version": f"v{version()}", f"{_HELM}/internal/version.metadata": ""}
    for package in ("pkg/lint/rules", "pkg/chartutil"):
        stamps[f"{_HELM}/{package}.k8sVersionMajor"] = str(int(major) + 1)
        stamps[f"{_HELM}/{package}.k8sVersionMinor"] = minor
    flags = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in stamps.items())])
    return GoPrograms("helm", MODULE, (f"{_HELM}/cmd/helm",), flags)


def main() -> int:
    """Exit code 1 when it cannot be built."""
    started = time.monotonic()
    try:
        there = look()
        program = there or make(survey())
    except RigError as error:
        print(f"helm: {error}", file=sys.stderr)
        return 1
    print(f"Helm {version()} {'found' if there else 'built'} in {time.monotonic() - started:.1f} s: {program}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
