"""The host's scripts in a real bash, with a folder as the state volume and a proxy that says yes to everything."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PROXY = """
ask() { # wrong in it: it takes every change, and forgets each at once
  case $1 in
    "prepare map"*) echo "New version created: 1" ;;
    "show map"*) cat "$PWD/routed" 2>/dev/null ;;
  esac
}
"""
NO_SPACE = 'put() { cat >/dev/null; echo "No space left on device" >&2; return 1; }\n'

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state volume of a host with one service, shop, whose last change was number 1."""
    for folder in ("cfg", "services/shop/v1", "services/shop/releases", "addresses", "incoming"):
        (tmp_path / folder).mkdir(parents=True)
    for name, text in {
        "id": "abc\n",
        "token": "t",
        "services/shop/slot": "slot00\n",
        "services/shop/v1/version": "1 4\n",
        "services/shop/v1/route": "shop.localhost\n",
        "services/shop/v1/serving": "0\n",
        "services/shop/v1/servers": "",
        "services/shop/v1/state.json": "{}\n",
        "services/shop/releases/1-a.json": "{}",
        "addresses/shop-1-a": "shop 10\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "services/shop/current").symlink_to("v1")
    return tmp_path


@pytest.fixture
def run(state: Path) -> Run:
    """One script, with `wrong` put before it."""

    def run(name: str, *words: str, wrong: str = "") -> subprocess.CompletedProcess[str]:
        here = files("shipper_targets.docker")
        parts = [here.joinpath("lib.sh").read_text(), PROXY, wrong, here.joinpath(name).read_text()]
        program = re.sub(r"/state(?=[/ ])", str(state), "\n".join(parts))
        return subprocess.run(
            ["bash", "-c", program, "shipper", *words], capture_output=True, text=True, timeout=20, check=False
        )

    return run


CHANGE = ("shop", "abc 1 4", "4", "shop.localhost", '{"new": 1}', "")
FAILING_SWITCHES = {
    "ln": "ln() { return 1; }",
    "mv": "mv() { case $* in *current) return 1 ;; esac; command mv $*; }",
    "sync": "sync() { [ $# != 1 ]; }",
}


def test_a_change_is_the_next_version(state: Path, run: Run) -> None:
    done = run("apply.sh", *CHANGE)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "abc 2 4")
    assert (state / "services/shop/current/state.json").read_text() == '{"new": 1}\n'


@pytest.mark.parametrize("failing", FAILING_SWITCHES.values(), ids=FAILING_SWITCHES)
def test_a_switch_that_failed_is_no_change(run: Run, failing: str) -> None:
    assert run("apply.sh", *CHANGE, wrong=failing).returncode == 84


@pytest.mark.parametrize(
    ("name", "words", "wrong"),
    [
        ("apply.sh", CHANGE, NO_SPACE),
        ("reserve.sh", ("shop", "abc 1 4", "4", "shop-2-b", "10", "20", "", ""), NO_SPACE),
        ("reserve.sh", ("shop", "abc 1 4", "4", "shop-1-a", "10", "20", "shop-0-c 11\n", ""), NO_SPACE),
        ("key.sh", (), NO_SPACE),
        ("leave.sh", ("shop", "abc 1 4", "4"), "mv() { return 1; }"),
        ("leave.sh", ("shop", "abc 1 4", "4"), 'rm() { [ ! -e "leaving.shop" ]; }'),
        ("forget.sh", ("shop", "4", "1-a", "none"), 'rm() { case $* in *1-a*) return 1 ;; esac; }'),
        ("free.sh", ("shop-1-a", "none"), 'rm() { case $* in *1-a*) return 1 ;; esac; }'),
        ("close.sh", ("shop",), "rm() { return 1; }"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_told(run: Run, name: str, words: tuple[str, ...], wrong: str) -> None:
    assert run(name, *words, wrong=wrong).returncode == 84


def test_a_host_is_not_closed_when_that_cannot_be_written(state: Path, run: Run) -> None:
    for left in (state / "services/shop/releases/1-a.json", state / "addresses/shop-1-a"):
        left.unlink()
    (state / "services").rename(state / "gone")
    (state / "closed").symlink_to("nowhere/closed")  # cannot be made
    ended = run("close.sh", "shop")
    assert (ended.returncode, ended.stdout.strip("\n-")) == (84, "")


def test_a_new_host_without_space_does_not_start(state: Path, run: Run) -> None:
    (state / "id").unlink()
    assert run("boot.sh", "", wrong=NO_SPACE + "exec() { builtin echo started; }").returncode == 84


def test_a_proxy_with_a_long_map_still_tells_the_slot_of_a_route(state: Path, run: Run) -> None:
    (state / "services/shop").rename(state / "lost")
    lines = ["0x1 shop.localhost slot07", *(f"0x1 web{number}.localhost slot08" for number in range(5000))]
    (state / "routed").write_text("\n".join(lines) + "\n")
    found = run("measure.sh", "shop", "shop.localhost")
    assert (found.returncode, found.stdout.split("\n")[0]) == (0, "slot slot07")


def test_a_refused_connection_leaves_no_request_behind(tmp_path: Path, run: Run) -> None:
    request = tmp_path / "request"
    request.write_text("GET / HTTP/1.1\r\n\r\n")
    assert run("ask.sh", str(request), "1", "127.0.0.1", "1").returncode == 83
    assert not request.exists()
