"""Secret values are found on the releaser's machine, all missing ones are told at once, and no value is ever shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from shipper.config import ConfigProblems, ResolvedSecrets, load
from shipper.errors import ConfigError
from shipper.model.context import Secrets
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
[run.secrets]
API_TOKEN = "env:TOKEN_OF_CI"
KEY = "file:keys/key"
[image.secrets]
PIP = "env:PIP_PASSWORD"
"""


def secrets_of(folder: Path, environ: dict[str, str] | None = None, text: str = TEXT) -> ResolvedSecrets:
    environ = {"XDG_STATE_HOME": str(folder / "state"), **(environ or {})}
    return ResolvedSecrets(load(written(folder, text)), environ, folder)


def with_key(folder: Path, value: bytes = b"from a file\n") -> Path:
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "key").write_bytes(value)
    return folder


def test_values_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    secrets = secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "hunter2", "PIP_PASSWORD": "hunter3"})

    assert isinstance(secrets, Secrets)
    assert [(one.name, one.reveal()) for one in secrets.run()] == [("API_TOKEN", b"hunter2"), ("KEY", b"from a file\n")]
    assert [(one.name, one.reveal()) for one in secrets.build()] == [("PIP", b"hunter3")]


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    secrets = secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "hunter2"})

    assert len(secrets.run()) == 2, "a rollback needs no build secret"


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems) as refused:
        secrets_of(tmp_path).run()

    assert refused.value.message == "3 secrets have no value on this machine"
    assert refused.value.exit_code == 2
    assert refused.value.details == (
        "shipper.toml:3:1 run.secrets.API_TOKEN: env:TOKEN_OF_CI: the variable is not set",
        "  export TOKEN_OF_CI=…, or write another reference",
        "shipper.toml:4:1 run.secrets.KEY: file:keys/key: no such file or directory",
        "  create it or correct the path",
        "shipper.toml:6:1 image.secrets.PIP: env:PIP_PASSWORD: the variable is not set",
        "  export PIP_PASSWORD=…, or write another reference",
    )


@pytest.mark.parametrize(
    ("value", "reason"), [(b"", "it is empty"), (b" \n", "it is empty"), (b"x" * (2**20 + 1), "larger than 1 MiB")]
)
def test_a_file_without_a_usable_value_is_told(value: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems) as refused:
        secrets_of(with_key(tmp_path, value), {"TOKEN_OF_CI": "x", "PIP_PASSWORD": "x"}).run()
    assert reason in refused.value.details[0]


def test_an_empty_variable_is_no_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match="1 secret has no value") as refused:
        secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "", "PIP_PASSWORD": "x"}).run()
    assert "env:TOKEN_OF_CI: it is empty" in refused.value.details[0]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    os.mkfifo(tmp_path / "keys" / "key")

    with pytest.raises(ConfigProblems) as refused:
        secrets_of(tmp_path, {"TOKEN_OF_CI": "x", "PIP_PASSWORD": "x"}).run()
    assert "it is not a regular file" in refused.value.details[0]


def test_a_reference_of_an_overlay_is_told_where_it_is_written(tmp_path: Path) -> None:
    text = 'service = "a"\n[run.secrets]\nA = "env:A"\n[environments.dev.run.secrets]\nA = "env:B"\n'

    with pytest.raises(ConfigProblems) as refused:
        secrets_of(tmp_path, text=text).run()
    assert refused.value.details[0].startswith("shipper.toml:5:1 run.secrets.A: env:B")


def test_no_value_can_be_printed(tmp_path: Path) -> None:
    secrets = secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "hunter2", "PIP_PASSWORD": "hunter3"})

    assert (
        "hunter"
        not in f"{secrets!r} {secrets.run()} {secrets.build()} {secrets.versions()} {vars(secrets)['_resolved']}"
    )


def test_a_version_changes_with_the_value_and_only_with_it(tmp_path: Path) -> None:
    first = secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "hunter2"}).versions()
    same = secrets_of(tmp_path, {"TOKEN_OF_CI": "hunter2"}).versions()
    other = secrets_of(tmp_path, {"TOKEN_OF_CI": "hunter3"}).versions()

    assert list(first) == ["API_TOKEN", "KEY"]
    assert first == same
    assert first["API_TOKEN"] != other["API_TOKEN"]
    assert first["KEY"] == other["KEY"]
    assert all(len(version) == 32 for version in first.values())


def test_one_value_under_two_names_has_two_versions(tmp_path: Path) -> None:
    text = 'service = "a"\n[run.secrets]\nA = "env:X"\nB = "env:X"\n'
    versions = secrets_of(tmp_path, {"X": "same"}, text).versions()

    assert versions["A"] != versions["B"]


def test_another_users_key_gives_other_versions(tmp_path: Path) -> None:
    with_key(tmp_path)
    mine = secrets_of(tmp_path, {"TOKEN_OF_CI": "x"}).versions()
    theirs = secrets_of(tmp_path, {"TOKEN_OF_CI": "x", "XDG_STATE_HOME": str(tmp_path / "other")}).versions()

    assert mine["KEY"] != theirs["KEY"]


def test_without_secrets_no_key_is_made(tmp_path: Path) -> None:
    assert secrets_of(tmp_path, text='service = "a"\n').versions() == {}
    assert not (tmp_path / "state").exists()


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "x"}).versions()
    key = tmp_path / "state" / "shipper" / "key"

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in key.parent.iterdir()] == ["key"], "nothing is left beside it"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda key: key.chmod(0o644), "is open to other users"),
        (lambda key: key.write_bytes(b"short"), "is not a key of 32 bytes"),
        (lambda key: (key.rename(key.with_name("k")), key.symlink_to("k")), "symbolic link"),
    ],
)
def test_a_key_that_cannot_be_trusted_is_refused(spoil: object, reason: str, tmp_path: Path) -> None:
    secrets = secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "x"})
    secrets.versions()
    spoil(tmp_path / "state" / "shipper" / "key")  # type: ignore[operator]

    with pytest.raises(ConfigError, match=reason):
        secrets.versions()


def test_a_state_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with pytest.raises(ConfigError) as refused:
        secrets_of(with_key(tmp_path), {"TOKEN_OF_CI": "x"}).versions()
    assert refused.value.hint == "set XDG_STATE_HOME to a directory that you can write to"


def test_with_the_places_own_key_every_machine_finds_the_same_versions(tmp_path: Path) -> None:
    text = 'service = "iris"\n[run.secrets]\nTOKEN = "env:TOKEN"\n'
    here, there = ({"TOKEN": "s3cr3t", "XDG_STATE_HOME": str(tmp_path / name)} for name in ("here", "there"))
    settings = load(written(tmp_path, text))
    one, other = (ResolvedSecrets(settings, environ=environ, root=tmp_path) for environ in (here, there))

    assert one.versions() != other.versions()
    assert one.versions(b"k" * 32) == other.versions(b"k" * 32)
    assert one.versions(b"k" * 32) != one.versions(b"l" * 32)


def test_what_has_no_value_here_is_passed_over_where_that_is_asked_for(tmp_path: Path) -> None:
    text = 'service = "iris"\n[run.secrets]\nTOKEN = "env:TOKEN"\nOTHER = "env:OTHER"\n'
    settings = load(written(tmp_path, text))
    secrets = ResolvedSecrets(settings, environ={"OTHER": "x"}, root=tmp_path, whatever_is_here=True)

    assert [secret.name for secret in secrets.run()] == ["OTHER"]
