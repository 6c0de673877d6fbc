"""`make demo`: release a copy of examples/iris on this machine and ask it for a prediction.

What is missing is made (tests/rig) and every stand-in is named. The shipper that runs is the wheel, installed into
an environment of its own and started from another directory. SHIPPER_DEMO_PORT chooses the port (8080).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.rig.api import DOCKER, Rig, RigError, ensure
from tools.venvs import BUILD, ROOT, SetUpError, installed

FLOWER = {"features": [5.1, 3.5, 1.4, 0.2]}
ENVIRONMENT = "demo"
_COPIED = shutil.ignore_patterns("__pycache__", ".train", ".venv", ".git")


def main() -> int:
    """The exit code of the release, or 1 when the set-up or the prediction failed."""
    started = time.monotonic()
    try:
        print("set-up", flush=True)
        rig = ensure(DOCKER, tell=lambda outcome: print(f"  {outcome.line()}", flush=True))
        shipper = installed() / "shipper"
    except (RigError, SetUpError) as error:
        print(error, file=sys.stderr)
        return 1
    for sentence in rig.stand_ins:
        print(f"  stand-in: {sentence}")
    if not rig.real_database:
        print("  so a scan below that finds nothing shows that the gate works, not that the image is safe")
    project = copy_example(rig)
    print(f"  ready in {time.monotonic() - started:.1f} s\n")
    print(f"shipper release -C {project.relative_to(ROOT)} -e {ENVIRONMENT}", flush=True)
    code = run(shipper, rig, "release", project)
    if code != 0:
        print(f"\nthe release ended with exit code {code}: what it means stands above, and is the demo's result too")
        return code
    return ask(shipper, rig, project, started)


def copy_example(rig: Rig) -> Path:
    """build/demo/iris: the example as a repository of its own, with an environment that has a registry."""
    folder = BUILD / "demo" / "iris"
    for there in folder.iterdir() if folder.exists() else ():
        if there.name != ".git":
            shutil.rmtree(there) if there.is_dir() else there.unlink()
    shutil.copytree(ROOT / "examples" / "iris", folder, dirs_exist_ok=True, ignore=_COPIED)
    with (folder / "shipper.toml").open("a") as configuration:
        configuration.write(overlay(rig.registry, os.environ.get("SHIPPER_DEMO_PORT", "8080")))
    commit(folder)
    return folder


def overlay(registry: str, port: str) -> str:
    """What the demo adds to the example's shipper.toml: where to push, and which port answers."""
    return (
        f'\n[environments.{ENVIRONMENT}.image]\nrepository = "{registry}/shipper-demo/iris"\n'
        f"\n[environments.{ENVIRONMENT}.targets.local]\nport = {port}\n"
    )


def commit(folder: Path) -> None:
    """Commit when something changed, so that the same example gives the same image digest."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    if git(folder, "status", "--porcelain"):
        git(folder, "commit", "--quiet", "--no-verify", "--message", "examples/iris, for the demo")


def git(folder: Path, *words: str) -> str:
    """Run git in the demo's own repository, by nobody in particular."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _NOBODY.items()}
    words = ("git", "-c", "commit.gpgsign=false", *words)
    return subprocess.run(words, cwd=folder, env=os.environ | who, stdout=subprocess.PIPE, text=True, check=True).stdout


_NOBODY = {"NAME": "shipper demo", "EMAIL": "demo@localhost"}


def run(shipper: Path, rig: Rig, command: str, project: Path) -> int:
    """Run the installed command from a directory that has nothing to do with this one."""
    with tempfile.TemporaryDirectory() as elsewhere:
        words = _words(shipper, command, project)
        return subprocess.run(words, cwd=elsewhere, env=environment(rig), check=False).returncode


def _words(shipper: Path, command: str, project: Path) -> list[str]:
    return [str(shipper), command, "-C", str(project), "-e", ENVIRONMENT]


def ask(shipper: Path, rig: Rig, project: Path, started: float) -> int:
    """A real prediction from what serves; 1 when it is not the one that the model gives."""
    address = where_it_serves(shipper, rig, project)
    url = f"{address['url'].rstrip('/')}/predict"
    host = ["-H", f"Host: {address['host']}"] if address.get("host") else []
    body = json.dumps(FLOWER)
    curl = ["curl", "-s", url, *host, "-H", "Content-Type: application/json", "-d", body]
    print(f"\n{shlex.join(curl)}")
    headers = {"Content-Type": "application/json"} | ({"Host": address["host"]} if host else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, body.encode(), headers)
        with opener.open(request, timeout=10) as answer:
            said = answer.read().decode()
    except OSError as error:
        print(f"no prediction: {url} answers with {error}", file=sys.stderr)
        return 1
    print(f"{said}\n\n{address['url']}   the whole demo took {time.monotonic() - started:.1f} s")
    engine = f"DOCKER_HOST={shlex.quote(rig.docker_host)} " if rig.docker_host else ""
    print(f"to take it away: {engine}{shlex.join(_words(shipper, 'remove', project))}")
    print("to stop what the set-up has started for it: python3 -m tests.rig down")
    return 0 if json.loads(said).get("label") == "setosa" else 1


def where_it_serves(shipper: Path, rig: Rig, project: Path) -> dict[str, Any]:
    """The address that `shipper status` gives."""
    words = [str(shipper), "status", "-C", str(project), "-e", ENVIRONMENT, "--json"]
    said = subprocess.run(words, cwd="/", env=environment(rig), stdout=subprocess.PIPE, text=True, check=True).stdout
    address: dict[str, Any] = json.loads(said)["observation"]["address"]
    return address


def environment(rig: Rig) -> dict[str, str]:
    """The caller's own settings win over the rig's."""
    return {**rig.demo_env(), **os.environ}


if __name__ == "__main__":
    sys.exit(main())
