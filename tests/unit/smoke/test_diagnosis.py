"""From facts about a container to one line that names the cause, and one that says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Dossier
from shipper.targets.diagnosis import Facts, diagnose, parse_listeners
from shipper.targets.elf import elf_platform
from shipper.targets.log_patterns import announced_ports, explain_log, has_traceback

pytestmark = pytest.mark.unit

# As /proc/net/tcp and tcp6 print them: 0.0.0.0:8000, the engine's resolver, an open connection, 127.0.0.1:5000,
# [::]:8080, [::1]:9000, and 127.0.0.1:7000 mapped into IPv6.
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 91733 1 0 100 0 0 10 0
   1: 0B00007F:A0C5 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 91734 1 0 100 0 0 10 0
   2: 020011AC:1F40 010011AC:C0DE 01 00000000:00000000 00:00000000 00000000     0        0 91735 1 0 100 0 0 10 0
   3: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 91736 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0 0 1
   1: 00000000000000000000000001000000:2328 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0 0 1
   2: 0000000000000000FFFF00000100007F:1B58 00000000000000000000000000000000:0000 0A 00000000:00000000 00:0 0 0 0 1
"""


def facts(**changes: Any) -> Facts:
    return Facts(**{"port": 8080, "path": "/healthz", "engine_platform": "linux/amd64", **changes})


def found(**changes: Any) -> Dossier:
    return diagnose(facts(**changes))


def test_the_kernels_table_gives_the_listening_sockets_and_nothing_else() -> None:
    assert parse_listeners(TABLE) == (
        ("127.0.0.1", 5000),
        ("127.0.0.1", 7000),
        ("0.0.0.0", 8000),
        ("::", 8080),
        ("::1", 9000),
    )


@given(st.text())
def test_any_text_can_be_read_as_a_table(text: str) -> None:
    assert isinstance(parse_listeners(text), tuple)


def test_a_loopback_bind_is_named_with_what_to_bind_instead() -> None:
    dossier = found(listeners=(("127.0.0.1", 8080),))
    assert dossier.cause == "loopback"
    assert "127.0.0.1:8080" in dossier.reason
    assert "bind 0.0.0.0" in dossier.hint


def test_a_wrong_port_names_the_port_that_it_listens_on() -> None:
    dossier = found(listeners=(("0.0.0.0", 5000),))
    assert dossier.cause == "wrong-port"
    assert dossier.reason == "listens on 0.0.0.0:5000, not on port 8080"
    assert "port = 5000" in dossier.hint


def test_a_wrong_port_on_loopback_says_both() -> None:
    dossier = found(listeners=(("127.0.0.1", 5000),))
    assert dossier.cause == "wrong-port"
    assert dossier.reason == "listens on 127.0.0.1:5000, and on loopback only, not on port 8080"


def test_the_right_port_on_any_reachable_address_is_neither() -> None:
    dossier = found(listeners=(("127.0.0.1", 8080), ("::", 8080)), waited=3.0, last_problem="no answer within 5 s")
    assert dossier.cause == "not-ready"
    assert dossier.reason == "/healthz on port 8080 gives no answer after 3.0 s: no answer within 5 s"


def test_a_service_that_listens_nowhere_is_told_with_what_it_did_meanwhile() -> None:
    dossier = found(listeners=(), waited=60, cpu_seconds=58.2, memory_used=900_000_000)
    assert dossier.cause == "not-ready"
    assert dossier.reason == "listens on no port after 1 min 0 s (used 58.2 s of CPU, 900.0 MB)"
    assert "startup" in dossier.hint


def test_sockets_that_could_not_be_read_are_not_guessed() -> None:
    assert found(listeners=None, last_problem="connection refused").cause == "not-ready"


def test_an_answer_with_another_status_is_told_with_the_status() -> None:
    dossier = found(last_status=500, waited=10)
    assert (dossier.cause, dossier.reason) == ("bad-status", "/healthz answers 500 for 10.0 s, not 200")


def test_503_is_a_services_own_word_for_not_ready() -> None:
    dossier = found(last_status=503, waited=10)
    assert (dossier.cause, dossier.reason) == ("not-ready", "/healthz answers 503 for 10.0 s, not 200")


def test_a_missing_readiness_path_is_told_as_such() -> None:
    assert "[health] path" in found(last_status=404).hint


def test_the_right_status_with_the_wrong_body_is_a_bad_answer() -> None:
    dossier = found(last_status=200, last_problem='$.status: expected "READY", found "STARTING"')
    assert dossier.cause == "bad-answer"
    assert dossier.reason == '/healthz answers 200, but $.status: expected "READY", found "STARTING"'


def test_out_of_memory_names_the_limit_whether_the_container_ended_or_not() -> None:
    still_up = found(out_of_memory=True, memory_limit=64_000_000)
    ended = found(out_of_memory=True, memory_limit=64_000_000, running=False, exit_code=137)
    assert still_up.cause == ended.cause == "out-of-memory"
    assert "limit of 64.0 MB and a process was killed" in still_up.reason
    assert "ended with exit 137" in ended.reason
    assert "[run] memory" in ended.hint


def test_another_architecture_is_named_from_the_image_or_from_its_program() -> None:
    labelled = found(
        running=False,
        exit_code=255,
        image_platform="linux/arm64",
        log=("exec /usr/bin/python: exec format error",),
    )
    hidden = found(running=False, exit_code=2, image_platform="linux/amd64", program_platform="linux/arm64")
    assert labelled.cause == hidden.cause == "wrong-architecture"
    assert "linux/arm64" in labelled.reason
    assert "linux/amd64" in labelled.reason
    assert "linux/arm64" in hidden.reason


def test_a_variant_is_not_another_architecture() -> None:
    same = found(running=False, exit_code=1, engine_platform="linux/arm64", program_platform="linux/arm64/v8")
    assert same.cause == "crashed"


def test_an_emulated_program_that_runs_is_not_accused() -> None:
    assert found(program_platform="linux/arm64", listeners=()).cause == "not-ready"


def test_a_container_that_ends_well_is_told_that_it_must_not_end() -> None:
    dossier = found(running=False, exit_code=0, waited=0.3)
    assert dossier.cause == "crashed"
    assert "exit 0" in dossier.reason
    assert "foreground" in dossier.hint


def test_a_crash_without_a_known_line_shows_the_last_one() -> None:
    dossier = found(running=False, exit_code=4, log=("starting", "the moon is full", ""))
    assert dossier.reason == "crashed with exit 4: the moon is full"
    assert dossier.exit_status == 4


@pytest.mark.parametrize(("code", "word"), [(132, "SIGILL"), (137, "SIGKILL"), (139, "SIGSEGV")])
def test_a_death_by_signal_names_the_signal(code: int, word: str) -> None:
    dossier = found(running=False, exit_code=code)
    assert word in dossier.reason
    assert dossier.hint


def test_only_the_last_forty_lines_are_kept() -> None:
    dossier = found(running=False, exit_code=1, log=tuple(str(number) for number in range(100)))
    assert dossier.log_tail == tuple(str(number) for number in range(60, 100))


PERMISSION_80 = ("[Errno 13] error while attempting to bind on address ('0.0.0.0', 80): [errno 13] permission denied",)
NO_VARIABLE = (
    '  File "/app/main.py", line 4, in <module>',
    '  File "<frozen os>", line 679, in __getitem__',
    "KeyError: 'MODEL_PATH'",
)


@pytest.mark.parametrize(
    ("log", "reason", "hint"),
    [
        (("ModuleNotFoundError: No module named 'flask'",), "no module flask", "requirements"),
        (('ERROR: Error loading ASGI app. Could not import module "main".',), "module main", "WORKDIR"),
        (("ImportError: libgomp.so.1: cannot open shared object file: No such file",), "libgomp.so.1", "libgomp1"),
        (("ImportError: cannot import name 'x' from 'y'",), "cannot import name", "pin"),
        (("PermissionError: [Errno 13] Permission denied: '/root/.local/lib'",), "may not read /root/.local", "--user"),
        (("PermissionError: [Errno 13] Permission denied: '/app/cache'",), "may not use /app/cache", "--chown"),
        (PERMISSION_80, "below 1024", "$PORT"),
        (("OSError: [Errno 98] Address already in use",), "already in use", "two servers"),
        (("RuntimeError: CUDA driver version is insufficient for CUDA runtime version",), "too old", "CUDA base image"),
        (("RuntimeError: Found no NVIDIA driver on your system.",), "needs a GPU", "gpu = 1"),
        (("python: can't open file '/app/app.py': [Errno 2] No such file or directory",), "/app/app.py", "COPY"),
        (("FileNotFoundError: [Errno 2] No such file or directory: 'model.onnx'",), "model.onnx", ".dockerignore"),
        (("SyntaxError: invalid syntax",), "SyntaxError: invalid syntax", "Python"),
        (NO_VARIABLE, "MODEL_PATH is not set", "[run.env]"),
        (("OSError: [Errno 30] Read-only file system: '/app/log'",), "/app/log", "read_only"),
        (("OSError: [Errno 28] No space left on device",), "no space", "disk"),
        (("MemoryError",), "memory", "[run] memory"),
        (("unable to find user bob: no matching entries in passwd file",), "no user bob", "useradd"),
        (('exec: "serve": executable file not found in $PATH',), "not in the image", "CMD"),
        (("[FATAL tini (7)] exec nope failed: No such file or directory",), "nope", "CMD"),
        (("[FATAL tini (6)] exec /app/run.sh failed: Permission denied",), "/app/run.sh is not executable", "chmod"),
        (("exec /app/run.sh: no such file or directory",), "/app/run.sh or its interpreter", "#!"),
        (('RuntimeError: Form data requires "python-multipart" to be installed.',), "python-multipart", "JSON"),
        (("Error: Cannot find module 'express'",), "Node finds no module express", "package.json"),
        (("redis.exceptions.ConnectionError: Error 111: Connection refused.",), "cannot connect", "localhost"),
        (("Traceback (most recent call last):", "ValueError: bad weights"), "ValueError: bad weights", "last lines"),
    ],
)
def test_a_known_line_is_explained_with_what_to_do(log: tuple[str, ...], reason: str, hint: str) -> None:
    explained = explain_log(log, "1000")
    assert explained is not None
    assert reason.removeprefix("no space") in explained.reason
    assert hint in explained.hint
    assert len(explained.hint) < 100


def test_a_key_error_of_any_other_dictionary_is_not_an_environment_variable() -> None:
    explained = explain_log(("KeyError: 'petal'",))
    assert explained is not None
    assert "environment" not in explained.reason


def test_a_module_that_another_user_installed_for_himself_is_suspected_only_for_other_users() -> None:
    line = ("ModuleNotFoundError: No module named 'flask'",)
    as_user, as_root = explain_log(line, "1000"), explain_log(line, "")
    assert as_user is not None
    assert as_root is not None
    assert "/root/.local" in as_user.hint
    assert "/root/.local" not in as_root.hint


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)", 8000),
        ("[INFO] Listening at: http://0.0.0.0:5000 (1)", 5000),
        (" * Running on http://127.0.0.1:5000", 5000),
        ("Serving HTTP on 0.0.0.0 port 8000 (http://0.0.0.0:8000/) ...", 8000),
        ("[INFO] Running on http://[::]:9000 (CTRL + C to quit)", 9000),
    ],
)
def test_servers_say_on_which_port_they_are_up(line: str, port: int) -> None:
    assert announced_ports([line]) == {port}


def test_a_traceback_is_seen_whatever_its_indentation() -> None:
    assert has_traceback(["  Traceback (most recent call last):"])
    assert not has_traceback(["no traceback here"])


def test_a_programs_head_tells_its_platform() -> None:
    head = bytes.fromhex("7f454c4602010100000000000000000002 00b700".replace(" ", ""))
    assert elf_platform(head) == "linux/arm64"
    assert elf_platform(b"#!/bin/sh\nexec python app.py\n") is None
    assert elf_platform(b"\x7fELF") is None


@given(
    st.builds(
        Facts,
        port=st.integers(1, 65535),
        exit_code=st.none() | st.integers(0, 255),
        running=st.booleans(),
        out_of_memory=st.booleans(),
        start_error=st.text(max_size=300),
        last_status=st.none() | st.integers(100, 599),
        last_problem=st.text(max_size=300),
        log=st.lists(st.text(max_size=300), max_size=5).map(tuple),
        listeners=st.none()
        | st.lists(st.tuples(st.sampled_from(["0.0.0.0", "::1"]), st.integers(1, 65535))).map(tuple),
    )
)
def test_every_container_has_a_cause_a_reason_of_one_line_and_a_hint(any_facts: Facts) -> None:
    dossier = diagnose(any_facts)
    assert dossier.cause
    assert dossier.hint
    assert 0 < len(dossier.reason) <= 100
    assert "\n" not in dossier.reason
