"""A platform's own secrets have no value on this machine; the smoke test reads them, or gets stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from shipper.config import ConfigProblems, ResolvedSecrets, load
from shipper.errors import CredentialsError, Denied, NotFound, PlatformError, ShipperError, Transient, UnreachableError
from shipper.model.secret import Secret
from shipper.model.settings import native_secrets
from tests.unit.config.files import told, written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
[run.secrets]
DB = "secret-manager:db-password@7"
KEY = "env:KEY"
[smoke.secrets]
KEY = "env:KEY_FOR_TRIALS"
"""


def in_version_7(references: Mapping[str, str]) -> dict[str, str]:
    return {name: f"version 7 of {reference}" for name, reference in references.items()}


def secrets_of(folder: Path, text: str = TEXT) -> ResolvedSecrets:
    environ = {"KEY": "production", "KEY_FOR_TRIALS": "trial", "XDG_STATE_HOME": str(folder / "state")}
    return ResolvedSecrets(load(written(folder, text)), environ, folder)


@pytest.mark.parametrize(
    "reference",
    [
        "secret-manager:db",
        "secret-manager:db@latest",
        "secret-manager:projects/acme-1/secrets/db@12",
        "secret-manager:projects/example.com:acme/secrets/db",
    ],
)
def test_references_that_are_understood(tmp_path: Path, reference: str) -> None:
    settings = load(written(tmp_path, f'service = "iris"\n[run.secrets]\nDB = "{reference}"\n'))
    assert native_secrets(settings.run.secrets) == {"DB": reference}


@pytest.mark.parametrize("reference", ["secret-manager:", "secret-manager:a b", "secret-manager:db@", "vault:db"])
def test_references_that_are_not(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigProblems) as refused:
        load(written(tmp_path, f'service = "iris"\n[run.secrets]\nDB = "{reference}"\n'))
    assert "run.secrets.DB" in refused.value.details[0]


def test_the_image_is_built_with_what_is_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems) as refused:
        load(written(tmp_path, 'service = "iris"\n[image.secrets]\nPIP = "secret-manager:pip"\n'))
    assert "image.secrets.PIP" in refused.value.details[0]


def test_they_have_neither_value_nor_version_here(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)
    assert [one.name for one in secrets.run()] == ["KEY"]
    assert list(secrets.versions()) == ["KEY"]


def test_a_candidate_gets_stand_ins_and_what_the_platform_lets_us_read(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)
    asked: list[str] = []

    def value_of(reference: str) -> bytes:
        asked.append(reference)
        return b"from the platform"

    secrets.reads_native(value_of, in_version_7)
    assert {one.name: one.reveal() for one in secrets.trial()} == {"DB": b"from the platform", "KEY": b"trial"}
    assert asked == ["version 7 of secret-manager:db-password@7"]


def test_the_candidate_is_another_when_a_stand_in_changes(tmp_path: Path) -> None:
    before = secrets_of(tmp_path).stand_in_versions()
    after = ResolvedSecrets(
        load(tmp_path / "shipper.toml"),
        {"KEY": "production", "KEY_FOR_TRIALS": "another", "XDG_STATE_HOME": str(tmp_path / "state")},
        tmp_path,
    ).stand_in_versions()
    assert list(before) == list(after) == ["KEY"]
    assert before != after


def test_one_that_may_not_be_read_is_told_with_the_stand_in_to_write(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)

    def refuses(reference: str) -> bytes:
        raise Denied("secretmanager.versions.access is not granted")

    secrets.reads_native(refuses, in_version_7)
    with pytest.raises(CredentialsError) as refused:
        secrets.trial()
    assert '[smoke.secrets] DB = "env:DB"' in refused.value.hint
    told = " ".join(" ".join(refused.value.details).split())
    assert "shipper.toml:3:1 run.secrets.DB" in told
    assert "secretmanager.versions.access is not granted" in told
    assert '[smoke.secrets] DB = "env:DB"' in told


def test_with_a_stand_in_nobody_asks_the_platform(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path, TEXT + 'DB = "env:KEY"\n')
    assert {one.name for one in secrets.trial()} == {"DB", "KEY"}


def raising(error: PlatformError) -> Callable[[str], bytes]:
    def value_of(_: str) -> bytes:
        raise error

    return value_of


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (Transient("HTTP 503"), UnreachableError, 33),
        (Denied("not granted"), CredentialsError, 32),
        (NotFound("there is no secret db-password"), ConfigProblems, 2),
    ],
)
def test_the_exit_code_says_why_a_value_cannot_be_read(
    tmp_path: Path, error: PlatformError, kind: type[ShipperError], code: int
) -> None:
    secrets = secrets_of(tmp_path)
    secrets.reads_native(raising(error), in_version_7)
    with pytest.raises(kind) as refused:
        secrets.trial()
    assert refused.value.exit_code == code
    assert str(error) in " ".join(" ".join(refused.value.details).split())


def test_whatever_a_trial_reads_is_told_before_anybody_gets_it(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)
    told: list[Secret] = []
    secrets.reads_native(lambda version: b"from the platform", in_version_7)
    secrets.tells(told.extend)
    assert (
        {one.reveal() for one in secrets.trial()} == {one.reveal() for one in told} == {b"from the platform", b"trial"}
    )


def test_what_can_be_read_is_known_and_what_cannot_is_passed_over(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path, TEXT + '[image.secrets]\nPIP = "env:NOT_SET"\n')
    secrets.reads_native(raising(Denied("not granted")), in_version_7)
    assert {one.reveal() for one in secrets.readable()} == {b"production", b"trial"}
    secrets.reads_native(lambda version: b"from the platform", in_version_7)
    assert {one.reveal() for one in secrets.readable()} == {b"production", b"trial", b"from the platform"}


def test_a_platform_that_does_not_answer_is_asked_for_one_value_only(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path, 'service = "iris"\n[run.secrets]\nA = "secret-manager:a"\nB = "secret-manager:b"\n')
    asked: list[str] = []

    def value_of(reference: str) -> bytes:
        asked.append(reference)
        raise Transient("HTTP 503")

    secrets.reads_native(value_of, in_version_7)
    assert secrets.readable() == ()
    assert asked == ["version 7 of secret-manager:a"]


def test_the_trial_is_another_when_the_platform_has_another_version(tmp_path: Path) -> None:
    def versions(now: str) -> dict[str, str]:
        secrets = secrets_of(tmp_path)
        secrets.reads_native(lambda reference: b"", lambda references: dict.fromkeys(references, now))
        return secrets.trial_versions()

    assert versions("projects/a/secrets/db/versions/7") == versions("projects/a/secrets/db/versions/7")
    assert versions("projects/a/secrets/db/versions/7") != versions("projects/b/secrets/db/versions/7")


def test_a_version_that_cannot_be_told_is_no_version(tmp_path: Path) -> None:
    with pytest.raises(PlatformError):
        secrets_of(tmp_path).trial_versions()


def test_with_stand_ins_for_all_no_platform_is_asked_for_a_version(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path, TEXT + 'DB = "env:KEY"\n')
    assert list(secrets.trial_versions()) == ["KEY", "DB"]


def test_without_a_smoke_test_no_stand_in_is_asked_for(tmp_path: Path) -> None:
    text = 'service = "iris"\n[run.secrets]\nDB = "secret-manager:db"\n[smoke]\nenabled = false\n'
    secrets = secrets_of(tmp_path, text + '[smoke.secrets]\nDB = "env:NOT_SET"\n')
    assert secrets.trial_versions() == {}


def test_one_without_a_value_is_not_told_of_stand_ins_that_nobody_needs(tmp_path: Path) -> None:
    text = 'service = "iris"\n[run.secrets]\nKEY = "env:NOT_SET"\n[smoke]\nenabled = false\n'
    with pytest.raises(ConfigProblems) as refused:
        secrets_of(tmp_path, text + '[smoke.secrets]\nKEY = "env:NOT_SET_EITHER"\n').run()
    assert "NOT_SET_EITHER" not in " ".join(refused.value.details)


def test_a_stand_in_for_nothing_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    said = told(tmp_path, TEXT + 'DBB = "env:DB"\n')
    assert "shipper.toml:7:1 smoke.secrets.DBB: stands in for nothing: [run.secrets] has no such name" in said
    assert "did you mean DB?" in said.replace('"', "")


def test_a_stand_in_without_any_secret_is_to_be_removed(tmp_path: Path) -> None:
    said = told(tmp_path, 'service = "iris"\n[smoke.secrets]\nDB = "env:DB"\n')
    assert "smoke.secrets.DB: stands in for nothing" in said
    assert "remove it" in said


def test_a_stand_in_for_all_environments_may_be_for_a_secret_of_one(tmp_path: Path) -> None:
    production = '[environments.production.run.secrets]\nDB = "secret-manager:db"\n'
    text = 'service = "iris"\n[smoke.secrets]\nDB = "env:DB"\n' + production
    assert told(tmp_path, text, environment=None) == ""
    assert "smoke.secrets.DBB: stands in for nothing" in told(tmp_path, text.replace('DB = "env', 'DBB = "env'), None)
