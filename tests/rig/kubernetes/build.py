"""The control plane's programs and manifests, built from go/go.mod once and kept in the user's cache.

    python3 -m tests.rig.kubernetes.build        builds what is missing, at a low priority, and prints the time

    ~/.cache/shipper-rig/kubernetes/<sources>-<go>/    etcd, kube-apiserver, … (XDG_CACHE_HOME is respected)
    ~/.cache/shipper-rig/kubernetes/manifests-<sums>/  knative/ and gateway-api/, read from the module zips

A key covers what decides about the bytes: go.mod, go.sum, main.go and the version of go. Both folders appear at once
(built beside, then renamed), and one build at a time runs on a machine. Standard library only: `make test` starts this
before any virtual environment is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.kubernetes import go_tool
from tests.rig.machine import Machine, survey
from tests.rig.shell import RigError

MODULE = Path(__file__).parent / "go"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "knative-rig")
KUBERNETES, ETCD, KNATIVE, GATEWAY_API = "1.34.3", "3.6.4", "0.48.0", "1.4.1"
"""What go.mod and crds/go.mod pin, for people and for the version that the API server says."""
WANTED_GO = (1, 24)

_SOURCES = ("go.mod", "go.sum", "cmd/knative-rig/main.go")
_SUMS = ("go.mod", "crds/go.mod", "crds/go.sum")
_TAKEN = {
    # folder in the cache -> the module's folder of go, the module, and what is taken of it
    "knative": (
        (".", "knative.dev/serving", "config/core/300-resources/*.yaml"),
        (".", "knative.dev/serving", "config/core/configmaps/*.yaml"),
        (".", "knative.dev/serving", "config/core/webhooks/defaulting.yaml"),
        (".", "knative.dev/serving", "config/core/webhooks/resource-validation.yaml"),
        (".", "knative.dev/networking", "config/*.yaml"),
        (".", "knative.dev/caching", "config/image.yaml"),
    ),
    "gateway-api": (("crds", "sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml"),),
}


def look(machine: Machine) -> str | None:
    """What is in the cache; None when something is missing."""
    programs = _found_programs()
    return _words(programs) if programs and _manifests_folder().exists() else None


def make(machine: Machine) -> str:
    """Build what is missing; waits for a build that another process has begun. Raises RigError."""
    with _one_at_a_time():
        if not _manifests_folder().exists():
            _take_manifests(go_tool.get(WANTED_GO, machine))
        programs = _found_programs() or _build(go_tool.get(WANTED_GO, machine))
    return _words(programs)


def programs() -> Path:
    """The folder of the built programs. Raises RigError when they are not built."""
    if found := _found_programs():
        return found
    raise RigError("the control plane is not built: python3 -m tests.rig up kubernetes")


def manifests() -> Path:
    """The folder with knative/ and gateway-api/. Raises RigError when it is not there."""
    if _manifests_folder().exists():
        return _manifests_folder()
    raise RigError("the manifests are not there: python3 -m tests.rig up kubernetes")


def sources_key() -> str:
    """16 hexadecimal digits over what the programs are built from."""
    return _digest(_SOURCES)


def cache() -> Path:
    """Where builds are kept, for all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "shipper-rig" / "kubernetes"


def _found_programs() -> Path | None:
    """By this machine's go; where it has none, what any go made of the same sources."""
    go = go_tool.find(WANTED_GO)
    if go is None:
        return next((found for found in sorted(cache().glob(f"{sources_key()}-go*")) if found.is_dir()), None)
    folder = _programs_folder(go)
    return folder if folder.exists() else None


def _programs_folder(go: Path) -> Path:
    return cache() / f"{sources_key()}-{go_tool.version(go)}"


def _manifests_folder() -> Path:
    return cache() / f"manifests-{_digest(_SUMS)}"


def _build(go: Path) -> Path:
    """Compile and link: 625 s of processor time the first time, 90 s with go's own cache."""
    folder, log = _programs_folder(go), cache() / "build.log"
    log.unlink(missing_ok=True)
    with _appearing(folder) as part:
        _go_build(go, log, _kubernetes_flags(), f"{part}/", *_kubernetes_packages())
        _go_build(go, log, "-s -w", part / "etcd", "go.etcd.io/etcd/server/v3")  # the package's own name is "server"
        if missing := [name for name in PROGRAMS if not (part / name).exists()]:
            raise RigError(f"go built no {', '.join(missing)} ({log})")
    return folder


def _kubernetes_packages() -> list[str]:
    commands = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [*(f"k8s.io/kubernetes/cmd/{name}" for name in commands), "./cmd/knative-rig"]


def _kubernetes_flags() -> str:
    """What a release's build says about itself; without it the server has no version."""
    major, minor, _ = KUBERNETES.split(".")
    base = "k8s.io/component-base/version"
    stamps = {
        f"{base}.gitVersion": f"v{KUBERNETES}",
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        f"{base}.gitTreeState": "archive",
        "k8s.io/client-go/pkg/version.gitVersion": f"v{KUBERNETES}",
    }
    return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in stamps.items())])


def _go_build(go: Path, log: Path, flags: str, out: Path | str, *packages: str) -> None:
    """In a process group of its own: whoever stops this process stops the compilers too."""
    words = go_tool.command(go, "build", "-trimpath", "-ldflags", flags, "-o", out, *packages)
    with log.open("a") as sink:
        running = subprocess.Popen(
            words, cwd=MODULE, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            code = running.wait()
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            raise
    if code != 0:
        told = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("go: downloading")]
        raise RigError(f"go build failed: {' / '.join(told[-3:]) or 'it said nothing'} ({log})")


def _take_manifests(go: Path) -> None:
    """From the zips of modules that go.sum vouches for; only what is not in go's cache is downloaded."""
    with _appearing(_manifests_folder()) as part:
        for folder, taken in _TAKEN.items():
            (part / folder).mkdir()
            for module, name, pattern in taken:
                there = Path(json.loads(go_tool.said(go, MODULE / module, "mod", "download", "-json", name))["Dir"])
                files = sorted(there.glob(pattern))
                if not files:
                    raise RigError(f"{name} has no {pattern} any more")
                for file in files:
                    shutil.copyfile(file, part / folder / file.name)


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder beside it that becomes it when the block has succeeded."""
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".part-") as temporary:
        part = Path(temporary) / "whole"
        part.mkdir()
        yield part
        part.rename(folder)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(names: tuple[str, ...]) -> str:
    total = hashlib.sha256()
    for name in names:
        total.update((MODULE / name).read_bytes())
    return total.hexdigest()[:16]


def _words(folder: Path) -> str:
    size = sum((folder / name).stat().st_size for name in PROGRAMS) >> 20
    return (
        f"Kubernetes {KUBERNETES}, etcd {ETCD}, Knative Serving {KNATIVE}, Gateway API {GATEWAY_API} "
        f"({size} MB in {folder})"
    )


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Exit code 1 when it cannot be built."""
    signal.signal(signal.SIGTERM, _stop)
    started = time.monotonic()
    try:
        there = look(survey())
        said = there or make(survey())
    except RigError as error:
        print(f"kubernetes programs: {error}", file=sys.stderr)
        return 1
    print(f"kubernetes programs: {'found' if there else 'built'} in {time.monotonic() - started:.1f} s: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
