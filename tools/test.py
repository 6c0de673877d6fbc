"""Run the static checks and the test tiers; one summary line for each at the end, and no silent skip.

python3 tools/test.py [static] [unit] [conformance] [integration] [e2e]      all of them when none is named
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.rig.api import ALL, GOOGLE, RigError, ensure
from tools.venvs import BUILD, ROOT, SetUpError, dev

TIERS = ("unit", "conformance", "integration", "e2e")
CHECKS = {
    "ruff": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "imports": ("lint-imports",),
}
UNIT_BUDGET = 20.0
THEIR_CLUSTER = bool(os.environ.get("SHIPPER_TEST_KUBECONFIG"))
"""Tests of Kubernetes run on another cluster: the rig's own is not needed."""


@dataclass(frozen=True)
class Line:
    """One line of the summary."""

    name: str
    ok: bool
    said: str
    seconds: float

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'FAILED'} {self.name:<12} {self.seconds:6.1f} s   {self.said}"


def main(wanted: list[str]) -> int:
    """0 when everything that was asked for passed."""
    if unknown := set(wanted) - {"static", *TIERS}:
        print(f"no such tier: {', '.join(sorted(unknown))}; there are: static, {', '.join(TIERS)}", file=sys.stderr)
        return 2
    tiers = [name for name in TIERS if not wanted or name in wanted]
    on_rig = [name for name in tiers if name != "unit"]
    started = time.monotonic()
    with building(bool(on_rig)):
        try:
            commands = dev()
        except SetUpError as error:
            print(error, file=sys.stderr)
            return 1
        lines = [Line("set-up", True, str(commands), time.monotonic() - started)]
        if not wanted or "static" in wanted:
            lines += [check(commands, name) for name in CHECKS]
        if "unit" in tiers:
            lines.append(tier(commands, "unit"))
        if on_rig:
            lines.append(rig())
    if on_rig:
        seed = os.environ.setdefault("SHIPPER_SEED", str(random.randrange(10**6)))
        sweep = bool(os.environ.get("SHIPPER_SWEEP"))
        print("\nsweep: every case" if sweep else f"\nsample: SHIPPER_SEED={seed} takes the same cases again")
    lines += [tier(commands, name) for name in on_rig]
    if not wanted:
        lines.append(unmarked(commands))
    print("\n" + "\n".join(str(line) for line in lines), flush=True)
    return 0 if all(line.ok for line in lines) else 1


@contextmanager
def building(needed: bool) -> Iterator[None]:
    """Kubernetes' programs are built beside what comes before the rig, which waits for them: ten minutes, once."""
    if not needed or THEIR_CLUSTER:
        yield
        return
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "kubernetes.log").open("w") as log:
        words = [sys.executable, "-m", "tests.rig.kubernetes.build"]
        process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def rig() -> Line:
    """Find or make what the tests run on, one line for each part. Missing parts fail in CI and skip elsewhere."""
    started = time.monotonic()
    print("\nrig", flush=True)
    try:
        ensure(GOOGLE if THEIR_CLUSTER else ALL, tell=lambda outcome: print(f"  {outcome.line()}", flush=True))
        said = "complete"
    except RigError as error:
        said = f"not complete: {error}"
    ok = said == "complete" or not os.environ.get("CI")
    return Line("rig", ok, said, time.monotonic() - started)


def check(commands: Path, name: str) -> Line:
    """A static check; its output is shown when it has something to say."""
    started = time.monotonic()
    tool, *words = CHECKS[name]
    done = subprocess.run([commands / tool, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{tool} {' '.join(words)}\n{done.stdout}{done.stderr}", flush=True)
    last = [line for line in done.stdout.strip().splitlines() if line.strip()][-1:]
    return Line(name, done.returncode == 0, "".join(last).strip(), time.monotonic() - started)


def tier(commands: Path, name: str) -> Line:
    """A tier of tests, with its counts and every skip's reason."""
    started = time.monotonic()
    report = BUILD / "reports" / f"{name}.xml"
    report.unlink(missing_ok=True)
    options = ("-m", name, "-q", "-rs", "--junit-xml", str(report))
    print(f"\n{name}", flush=True)
    code = subprocess.run([commands / "pytest", *options], cwd=ROOT, check=False).returncode
    seconds = time.monotonic() - started
    total, bad, skipped = counts(report)
    said = f"{total - bad - skipped} passed, {bad} failed, {skipped} skipped"
    if code == 5:
        said = "no test was found, and a tier without tests shows nothing"
    if name == "unit" and seconds > UNIT_BUDGET:
        said += f"   (slower than its budget of {UNIT_BUDGET:.0f} s)"
    return Line(name, code == 0, said, seconds)


def counts(report: Path) -> tuple[int, int, int]:
    """Tests, failures with errors, and skips in a JUnit report; zeros without one."""
    if not report.exists():
        return 0, 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    numbers = [[int(suite.get(key) or 0) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests, failures, errors, skipped = (sum(column) for column in zip(*numbers, strict=True))
    return tests, failures + errors, skipped


def unmarked(commands: Path) -> Line:
    """A test of no tier would never run: there must be none (pytest says 5 when nothing matches)."""
    started = time.monotonic()
    expression = " and ".join(f"not {name}" for name in TIERS)
    words = [str(commands / "pytest"), "--collect-only", "-q", "-m", expression]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode != 5:
        print("\n".join(found) or done.stdout, flush=True)
    said = "every test has a tier" if done.returncode == 5 else f"{len(found)} tests have no tier and never run"
    return Line("tiers", done.returncode == 5, said, time.monotonic() - started)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main(sys.argv[1:]))
