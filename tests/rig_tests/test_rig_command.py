"""`python -m tests.rig`: what it says, what it exits with, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.rig import daemons, images, parts
from tests.rig.api import Rig
from tests.rig.shell import RigError

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.integration


def command(
    *words: str, state: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, with a state directory of its own when one is given."""
    own = {"SHIPPER_RIG_DIR": str(state)} if state else {}
    return subprocess.run(
        [sys.executable, "-m", "tests.rig", *words],
        cwd=REPOSITORY,
        env={**os.environ, **own, **(env or {})},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_status_makes_nothing_and_exits_1_when_a_part_is_missing(tmp_path: Path) -> None:
    done = command("status", "database", state=tmp_path / "state")

    assert (done.returncode, done.stdout) == (1, "database      missing\n")
    assert not (tmp_path / "state").exists()


def test_status_exits_0_once_the_part_was_made(tmp_path: Path) -> None:
    made = command("up", "database", state=tmp_path)
    assert (made.returncode, made.stdout.split()[:2]) == (0, ["database", "made"]), made.stderr

    done = command("status", "--json", "database", state=tmp_path)

    assert done.returncode == 0
    assert [(entry["part"], entry["state"]) for entry in json.loads(done.stdout)] == [("database", "found")]


def test_an_unknown_part_is_refused_with_the_list_of_parts() -> None:
    done = command("up", "kitchen")

    assert done.returncode == 1
    assert "no part 'kitchen'" in done.stderr
    assert "base image" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_and_without_root_it_says_what_to_do(tmp_path: Path) -> None:
    unprivileged = "import os,sys; os.geteuid = lambda: 1000; from tests.rig.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", unprivileged, "up", "registry"],
        cwd=REPOSITORY,
        env={**os.environ, "SHIPPER_RIG_DIR": str(tmp_path), "DOCKER_CONTEXT": "none-of-that-name"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "start Docker, or use sudo" in done.stdout
    assert "registry      failed        needs the engine" in done.stdout


def test_an_engine_named_by_docker_host_is_not_replaced_when_it_is_gone(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    done = command("up", "engine", state=tmp_path, env={"DOCKER_HOST": address})

    assert done.returncode == 1
    assert f"DOCKER_HOST is {address}, and no engine answers there" in done.stdout


def test_a_part_brings_what_it_needs_in_order() -> None:
    assert [part.name for part in parts.select(["proxy image"])] == ["engine", "registry", "base image", "proxy image"]
    with pytest.raises(RigError, match="no part"):
        parts.select(["kitchen"])


def test_two_set_ups_at_once_make_a_part_once(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.rig", "up", "database"]
    env = {**os.environ, "SHIPPER_RIG_DIR": str(tmp_path)}
    both = [subprocess.Popen(words, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    said = sorted(process.communicate()[0].split()[1] for process in both)

    assert [process.returncode for process in both] == [0, 0]
    assert said == ["found", "made"]


def test_down_leaves_alone_what_has_taken_a_stale_number(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    for pidfile in ("dockerd.pid", "registry.pid"):
        (tmp_path / pidfile).write_text(str(sleeper.pid))

    done = command("down", "--purge", state=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left alone") == sum(part.stop is not None for part in parts.PARTS)
    assert sleeper.poll() is None
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_is_started_once_known_and_stopped(tmp_path: Path) -> None:
    daemon = daemons.Daemon("sleep", tmp_path / "pid", tmp_path / "log")
    daemon.start(["sleep", "60"], answers=lambda: True)
    assert daemon.pid() in daemons.namesakes("sleep")

    assert daemon.stop()
    assert daemon.pid() is None
    assert not daemon.stop()


def test_a_pid_file_is_forgotten_when_its_process_was_killed_and_not_while_it_runs(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    killed = subprocess.Popen(["sleep", "60"])
    try:
        pidfile.write_text(str(killed.pid))
        daemons.forget_dead("sleep", pidfile)
        assert pidfile.exists()
        killed.kill()
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # it has ended and stays a zombie
        daemons.forget_dead("sleep", pidfile)
        assert not pidfile.exists()
    finally:
        killed.kill()
        killed.wait()
    pidfile.write_text(str(os.getpid()))  # another program has the number
    daemons.forget_dead("sleep", pidfile)
    assert not pidfile.exists()


def test_a_daemon_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    daemon = daemons.Daemon("sh", tmp_path / "pid", tmp_path / "log")

    with pytest.raises(RigError, match="no such port"):
        daemon.start(["sh", "-c", "echo no such port >&2; exit 1"], answers=lambda: False)


def test_the_base_image_takes_the_mirror_of_pip_and_nothing_else() -> None:
    listed = ":env:.cert='/x.pem'\nglobal.index-url='https://mirror.test/simple'\ninstall.find-links='/wheels'\n"

    assert images.pip_settings(listed).splitlines() == [
        "[global]",
        "cert = /etc/ssl/certs/ca-certificates.crt",
        "index-url = https://mirror.test/simple",
    ]


@pytest.mark.integration
def test_a_second_set_up_finds_everything_at_once(google_rig: Rig) -> None:
    begun = time.monotonic()
    done = command("up")
    took = time.monotonic() - begun

    states = [line[14:].split()[0] for line in done.stdout.splitlines() if not line.startswith("note")]
    assert done.returncode == 0, done.stdout
    assert states == ["found"] * len(parts.NAMES)
    assert took < 5


@pytest.mark.integration
def test_the_base_image_behaves_like_the_official_one(rig: Rig) -> None:
    script = "which python pip; python -c 'import sys; print(sys.prefix, sys.version_info[:2])'; pip --version"
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", rig.base_image, "sh", "-c", script],
        capture_output=True,
        text=True,
    )

    lines = done.stdout.splitlines()
    assert lines[:3] == ["/usr/local/bin/python", "/usr/local/bin/pip", "/usr/local (3, 11)"], done.stderr
    assert "/usr/local/lib/python3.11/site-packages/pip" in lines[3]


@pytest.mark.integration
def test_the_proxy_image_has_what_the_docker_target_needs(rig: Rig) -> None:
    script = "haproxy -v | sed -n 1p; command -v bash flock; id -u"
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", rig.proxy_image, "bash", "-c", script],
        capture_output=True,
        text=True,
    )

    version, *tools = done.stdout.splitlines()
    assert version.startswith("HAProxy version "), done.stderr
    assert [Path(tool).name for tool in tools] == ["bash", "flock", "99"]
