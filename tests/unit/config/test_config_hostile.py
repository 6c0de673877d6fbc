"""Hostile configurations are refused with a reason (exit 2): no traceback, no waiting, no leak."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.config import ConfigProblems, load, validate
from shipper.config.document import MAX_BYTES
from shipper.errors import ConfigError
from tests.unit.config.files import told, written

pytestmark = pytest.mark.unit

SERVICE = 'service = "iris"\n'

HOSTILE = {
    "larger than 256 kB": (b"#" * (MAX_BYTES + 1), "larger than 256 kB"),
    "not UTF-8": (b'service = "\xff"\n', "shipper.toml:1:12 the file is not UTF-8 text"),
    "UTF-16": ('service = "iris"\n'.encode("utf-16"), "not UTF-8"),
    "a byte order mark": (b'\xef\xbb\xbfservice = "iris"\n', "byte order mark"),
    "a NUL": (b'service = "i\x00ris"\n', "not valid TOML: illegal character"),
    "an escape sequence": (b'service = "\x1b[2Jiris"\n', "not valid TOML: illegal character"),
    "a lone carriage return": (b'service = "iris"\rrun = 1\n', "not valid TOML"),
    "deep lists": (b"a = " + b"[" * 50_000, "shipper.toml:1:37 nested more than 32 levels deep"),
    "deep tables": (b"a = " + b"{a=" * 50_000, "nested more than 32 levels deep"),
    "a dotted key of 60,000 parts": (b"a." * 60_000 + b"a = 1", "nested more than 32 levels deep"),
    "a header of 60,000 parts": (b"[" + b"a." * 60_000 + b"a]", "nested more than 32 levels deep"),
    "an integer of 5,000 digits": (b"\nport = " + b"9" * 5_000, "shipper.toml:2:1 a number has thousands of digits"),
    "a hexadecimal integer": (b"[run]\nport = 0x" + b"f" * 5_000, "found a number of 20000 bits"),
    "100 bits": (b"[run]\nport = " + str(2**100).encode(), "expected a number of at most 64 bits"),
    "infinity": (b"[run]\ncpu = inf", "run.cpu: found inf (a number), expected a finite number"),
    "nan deep inside": (b"[health]\njson = { a = [1, nan] }", "health.json.a[1]: found nan"),
    "a key of Python": (b"[run]\n__class__ = 1", "run.__class__: unknown key"),
    "a key of JavaScript": (b"__proto__ = { a = 1 }", "__proto__: unknown key"),
    "an empty key": (b'"" = 1', '"": unknown key'),
    "a key with escapes": (b'"\\u001b[2J" = 1', '"\\x1b[2J": unknown key'),
    "a long key": (b"a" * 100_000 + b" = 1", "…: unknown key"),
    "a long value": (b'[scan]\nfail_on = "' + b"x" * 100_000 + b'"', 'found "xxx'),
    "an environment variable with a NUL": (b'[run.env]\nA = "\\u0000"', "run.env.A: found text (not shown)"),
    "a command with a new line": (b'[run]\ncommand = ["a\\nb"]', "run.command[0]"),
    "a header with a new line": (
        b'[[smoke.requests]]\nname = "a"\nheaders = { "A\\r\\nB" = "x" }',
        "not a valid name; expected an HTTP header name",
    ),
    "a request path with a fragment": (b'[health]\npath = "/a#b"', 'found "/a#b" (text)'),
    "a target with an upper-case name": (b'[targets.X]\nkind = "docker"', "targets.X: not a valid name"),
    "a target that is a text": (
        b'[targets]\nlocal = "docker"',
        'targets.local: found "docker" (text), expected a table',
    ),
    "a table that is a list": (b"[[run]]\nport = 1", "run: found a list, expected a table"),
    "environments that are a list": (b"[[environments]]\nname = 1", "environments: found a list, expected a table"),
    "an environment with a path as name": (b'[environments."../x"]', "not a valid name"),
    "the Dockerfile of the machine": (b'[image]\ndockerfile = "/etc/passwd"', "image.dockerfile: an absolute path"),
    "a context above the repository": (b'[image]\ncontext = "../.."', "image.context: leads out of the repository"),
    "a volume over the root": (
        b'[[run.volumes]]\nsource = "a"\ntarget = "/"',
        "run.volumes[0].target: cannot be mounted there",
    ),
    "a volume over the secrets": (
        b'[run]\nsecrets = { A = "env:A" }\nvolumes = [{ source = "a", target = "/run/secrets/x" }]',
        "the secrets are mounted there",
    ),
    "two volumes at one place": (
        b'[run]\nvolumes = [{ source = "a", target = "/m" }, { source = "b", target = "/m/" }]',
        "another volume is already mounted there",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_refused_quickly_with_a_reason(what: str, tmp_path: Path) -> None:
    raw, reason = HOSTILE[what]
    begun = time.monotonic()

    said = told(tmp_path, raw)

    assert reason in said.replace("\n    ", " ")
    assert time.monotonic() - begun < 20, "hostile input takes our time"


def test_twenty_thousand_mistakes_are_told_shortly_and_quickly(tmp_path: Path) -> None:
    text = SERVICE + "[run]\n" + "".join(f"k{number} = 1\n" for number in range(20_000))
    begun = time.monotonic()

    with pytest.raises(ConfigProblems) as refused:
        load(written(tmp_path, text), environment="dev")

    assert time.monotonic() - begun < 20
    assert len(refused.value.details) < 200
    assert refused.value.details[-1].startswith("… and ")


def test_a_file_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shipper.toml")

    assert [problem.message for problem in validate(tmp_path / "shipper.toml")] == ["it is not a regular file"]


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").mkdir()

    assert [problem.message for problem in validate(tmp_path / "shipper.toml")] == ["it is not a regular file"]


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "shipper.toml").symlink_to("shipper.toml")

    assert "too many levels of symbolic links" in validate(tmp_path / "shipper.toml")[0].message


def test_a_link_out_of_the_repository_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "private.toml").write_text("password = 'hunter2' oops")
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "shipper.toml").symlink_to("../private.toml")

    problems = validate(repository / "shipper.toml")

    assert [problem.message for problem in problems] == ["the file is a link that leads out of the repository"]
    assert "hunter2" not in str(problems)


def test_a_dockerfile_that_is_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Dockerfile").symlink_to("/etc/hostname")

    assert told(tmp_path, SERVICE).startswith("shipper.toml:1:1 image.dockerfile: leads out of the repository")


def test_a_context_above_the_service_but_inside_the_repository_is_fine(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    service = tmp_path / "services" / "iris"
    service.mkdir(parents=True)

    assert validate(written(service, SERVICE + '[image]\ncontext = "../.."\n')) == []


@pytest.mark.parametrize(
    "text",
    [
        '[run.env]\nDATABASE = "postgres://me:hunter2@db/x"\nport = hunter2\n',
        'API_TOKEN = "hunter2\n',
        "API_TOKEN hunter2\n",
        "API_TOKEN=hunter2\n",
        '[run.env]\nA = """\nhunter2\nhunter2 \x01\n"""\n',
        '[run.secrets]\nA = "hunter2\n',
        '[run.secrets]\nA = "hunter2"\n',
        '[image]\ncache_to = ["type=s3,secret_access_key=hunter2", 3]\nbuild_args = { A = ["hunter2"] }\n',
        '[run]\nuser = "x://hunter2:hunter2@y"\n',
        '[[smoke.requests]]\nname = "a"\nheaders = { Authorization = "hunter2\\n" }\n',
    ],
)
def test_no_secret_is_shown_in_any_message(text: str, tmp_path: Path) -> None:
    problems = validate(written(tmp_path, SERVICE + text))

    assert problems
    assert "hunter2" not in "".join(problem.model_dump_json() for problem in problems)


NESTED = st.recursive(
    st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.just("nan"), st.just("1979-05-27")),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=4,
)
NAMES = """service target image run scale health smoke scan rollout targets environments dev port env secrets volumes
json requests min max kind memory startup dockerfile headers expect name"""
KEYS = st.sampled_from(NAMES.split())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, st.one_of(NESTED, st.dictionaries(KEYS, NESTED, max_size=3)), max_size=5))
def test_whatever_is_written_the_answer_is_settings_or_problems(tmp_path: Path, content: dict[str, object]) -> None:
    path = written(tmp_path, "".join(f"{key} = {toml(value)}\n" for key, value in content.items()))

    problems = validate(path, "dev")

    lines = [line for problem in problems for line in problem.lines()]
    assert all(len(line) < 100 and line.isprintable() for line in lines)
    if not problems:
        assert load(path).service.service, "no problem means Settings"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_whatever_bytes_are_there_the_answer_is_a_refusal(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(ConfigError):
        load(written(tmp_path, b"[run]\n" + raw), environment="dev")


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(child) for child in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or value in ("nan", "1979-05-27"):
        return str(value)
    return "'" + "".join(char for char in str(value) if char.isprintable() and char != "'") + "'"
