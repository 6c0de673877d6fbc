"""The command itself: quick to start, clear when misused, never a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

HEAVY = ("pydantic", "rich", "structlog", "importlib.metadata", "docker", "httpx")


def run(shipper: Path, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The installed command."""
    command = [str(shipper), *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=cwd)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_starting_imports_nothing_heavy(shipper: Path, option: str) -> None:
    program = (
        "import sys\nfrom shipper.cli.main import main\n"
        f"sys.argv = ['shipper', '{option}']\n"
        "try:\n    main()\nfinally:\n"
        f"    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [str(shipper.parent / "python"), "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_a_command_that_asks_over_http_imports_no_command_line_of_httpx(shipper: Path) -> None:
    program = (
        "import sys\nfrom shipper.cli.process import start\nstart()\nimport httpx\n"
        "print(sorted({'rich', 'pygments'} & {*sys.modules}), httpx.Client is not None)"
    )
    words = [str(shipper.parent / "python"), "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() == "[] True", done.stderr


def test_a_command_whose_output_is_closed_ends_as_it_should(shipper: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec '{shipper}' version >&-"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FULL = Path("/dev/full")


@pytest.mark.parametrize(
    "words",
    ["--version", "--help", "version", "version --exit-codes", "targets --json"],
)
def test_output_that_cannot_be_written_is_one_line_and_2(shipper: Path, tmp_path: Path, words: str) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [str(shipper), *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [
        "error: the output cannot be written: No space left on device",
        "next: make room where it goes; nothing was changed by this command",
    ]
    assert not list(tmp_path.rglob("bugs"))


def test_a_failure_keeps_its_code_where_its_json_cannot_be_written(shipper: Path, tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").write_text('service = "Shop!"\n')
    with FULL.open("w") as full:
        done = subprocess.run(
            [str(shipper), "plan", "--json", "-C", str(tmp_path)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Shop!" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_can_be_said_the_code_says_it(shipper: Path, tmp_path: Path) -> None:
    with FULL.open("w") as full:
        for words in (["targets", "--json"], ["relase"], ["plan", "-C", str(tmp_path)]):
            done = subprocess.run([str(shipper), *words], stdout=full, stderr=full, check=False, timeout=60)
            assert done.returncode == 2


def test_a_run_whose_output_is_lost_ends_as_it_went(shipper: Path) -> None:
    """What was said last, too late to be told of: the code says what serves."""
    program = "import sys\nfrom shipper.cli.process import end\nsys.stdout.write('said')\nend(21)"
    with FULL.open("w") as full:
        done = subprocess.run(
            [str(shipper.parent / "python"), "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": "/usr/bin:/bin"},  # as it is buffered elsewhere
        )
    assert (done.returncode, done.stderr) == (21, "error: the output cannot be written: No space left on device\n")


HANGING = """
import sys, threading
from shipper.cli.process import start, end
start()
import time
from shipper.processes import run
from shipper.cli.main import main
threading.Thread(target=run, args=(["sleep", "86399"],), daemon=True).start()
try:
    while True:
        time.sleep(0.05)
        from shipper.processes.group import _alive
        for group in tuple(_alive):
            print(group.child.pid, flush=True)
            time.sleep(60)
except KeyboardInterrupt:
    end(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_no_signal_leaves_a_child_behind(shipper: Path, number: int) -> None:
    words = [str(shipper.parent / "python"), "-c", HANGING]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(10) == (130 if number == signal.SIGINT else -number)
    assert _is_gone(child)


def _is_gone(pid: int) -> bool:
    """Ended, whether or not its new parent has looked after it by now."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_end_of_the_process_waits_for_what_python_waits_for(shipper: Path, tmp_path: Path) -> None:
    """A thread at work, what was registered for the end, and output that nobody flushed."""
    program = (
        "import atexit, sys, threading\nfrom shipper.cli.process import end\n"
        "atexit.register(lambda: sys.stdout.write(' registered'))\n"
        "over = threading.main_thread().join  # returns once the main thread waits for the others\n"
        "thread = threading.Thread(target=lambda: (over(), sys.stdout.write(' thread')))\n"
        "thread.start()\nsys.stdout.write('said')\nend(16)"
    )
    words = [str(shipper.parent / "python"), "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (16, "said thread registered", "")


def test_the_wheel_holds_its_pipelines_and_its_adapters(shipper: Path, tmp_path: Path) -> None:
    shown = run(shipper, "pipeline", "show", "release", "--json", cwd=tmp_path)
    levels = json.loads(shown.stdout)["levels"]
    order = [stage for level in levels for stage in level]
    assert order.index("build") < order.index("scan") < order.index("gate") < order.index("publish")
    assert order[-2:] == ["rollout", "seal"]
    kinds = json.loads(run(shipper, "targets", "--json", cwd=tmp_path).stdout)["installed"]
    assert [kind["kind"] for kind in kinds] == ["cloudrun", "docker", "knative", "kubernetes"]


def test_a_mistyped_command_names_the_nearest(shipper: Path) -> None:
    done = run(shipper, "relase")
    assert done.returncode == 2
    assert 'Did you mean "release"?' in done.stderr


def test_without_a_configuration_it_says_what_to_write(shipper: Path, tmp_path: Path) -> None:
    done = run(shipper, "release", "-C", tmp_path)
    assert done.returncode == 2
    assert "shipper.toml" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_mistake_of_a_configuration_at_once(shipper: Path, tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").write_text(
        'service = "Shop!"\n[run]\nprt = 8080\nmemory = "512 megs"\n[targets.local]\nkind = "dcoker"\n'
    )
    done = run(shipper, "config", "check", "-C", tmp_path)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for expected in ("shipper.toml:1", "shipper.toml:3", "port", "shipper.toml:4"):
        assert expected in said, said


@pytest.mark.parametrize(("asked", "told"), [("kubernets", 'did you mean "kubernetes"?'), ("mainframe", "docker")])
def test_an_unknown_target_names_what_there_is(shipper: Path, tmp_path: Path, asked: str, told: str) -> None:
    (tmp_path / "shipper.toml").write_text('service = "shop"\n')
    done = run(shipper, "plan", "-C", tmp_path, "--target", asked)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr


HOSTILE = {
    "too large": b"# " + b"x" * 300_000,
    "not text": b"service = '\xff\xfe'",
    "deep": b"a = " + b"[" * 50_000,
    "huge number": b"service = 'a'\n[run]\nport = " + b"9" * 10_000,
    "control characters": b"service = 'a\\u001b[31m'\n",
    "path out of the repository": b"service = 'a'\n[image]\ndockerfile = '../../../etc/passwd'\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_configuration_is_one_clear_error(shipper: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "shipper.toml").write_bytes(HOSTILE[name])
    done = run(shipper, "release", "--json", "-C", tmp_path)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["code"] == 2


def test_the_engine_is_gone(shipper: Path, tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").write_text('service = "shop"\n')
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    command = [str(shipper), "release", "--json", "-C", str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
    )
    assert done.returncode == 33, done
