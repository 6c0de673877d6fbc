"""A platform's own secrets have no value on this machine; the smoke test reads them, or gets stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import ConfigProblems, ResolvedSecrets, load
from shipper.errors import Denied
from shipper.model.settings import native_secrets
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
[run.secrets]
DB = "secret-manager:db-password@7"
KEY = "env:KEY"
[smoke.secrets]
KEY = "env:KEY_FOR_TRIALS"
"""


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

    secrets.reads_native(value_of)
    assert {one.name: one.reveal() for one in secrets.trial()} == {"DB": b"from the platform", "KEY": b"trial"}
    assert asked == ["secret-manager:db-password@7"]


def test_the_candidate_is_another_when_a_stand_in_changes(tmp_path: Path) -> None:
    before = secrets_of(tmp_path).trial_versions()
    after = ResolvedSecrets(
        load(tmp_path / "shipper.toml"),
        {"KEY": "production", "KEY_FOR_TRIALS": "another", "XDG_STATE_HOME": str(tmp_path / "state")},
        tmp_path,
    ).trial_versions()
    assert list(before) == list(after) == ["KEY"]
    assert before != after


def test_one_that_may_not_be_read_is_told_with_the_stand_in_to_write(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path)

    def refuses(reference: str) -> bytes:
        raise Denied("secretmanager.versions.access is not granted")

    secrets.reads_native(refuses)
    with pytest.raises(ConfigProblems) as refused:
        secrets.trial()
    told = " ".join(" ".join(refused.value.details).split())
    assert "shipper.toml:3:1 run.secrets.DB" in told
    assert "secretmanager.versions.access is not granted" in told
    assert '[smoke.secrets] DB = "env:DB"' in told


def test_with_a_stand_in_nobody_asks_the_platform(tmp_path: Path) -> None:
    secrets = secrets_of(tmp_path, TEXT + 'DB = "env:KEY"\n')
    assert {one.name for one in secrets.trial()} == {"DB", "KEY"}
