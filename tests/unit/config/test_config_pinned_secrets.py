"""A run uses one version of each of the platform's own secrets: the first that anything of it has asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from shipper.config import ResolvedSecrets, load
from shipper.errors import Invalid, NotFound, Transient
from tests.unit.config.files import written
from tests.unit.vault import REFERENCE, Vault

pytestmark = pytest.mark.unit

TEXT = f'service = "iris"\n[run.secrets]\nDB = "{REFERENCE}"\n'
OF_THE_RELEASE = {"DB": REFERENCE}


def run_of(folder: Path, vault: Vault, text: str = TEXT) -> ResolvedSecrets:
    """The secrets of a new run."""
    secrets = ResolvedSecrets(load(written(folder, text)), {"STAND_IN": "x", "XDG_STATE_HOME": str(folder)}, folder)
    secrets.reads_native(vault.secret_value, vault.secret_versions)
    return secrets


def test_the_candidate_gets_the_version_that_the_journal_was_asked_about(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)
    assert secrets.trial_versions() == {"DB": "db/1"}
    vault.rotate(b"two")
    assert [one.reveal() for one in secrets.trial()] == [b"one"]
    assert vault.asked == ["db/1"], "the value is read by version, not by what the reference means now"


def test_the_release_has_the_version_that_the_candidate_had(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)
    secrets.trial()
    vault.rotate(b"two")
    assert secrets.pinned(OF_THE_RELEASE, vault.secret_versions) == {"DB": "db/1"}
    assert secrets.trial_versions() == {"DB": "db/1"}


def test_the_next_run_has_the_version_of_then(tmp_path: Path) -> None:
    vault = Vault(b"one")
    run_of(tmp_path, vault).trial()
    vault.rotate(b"two")
    again = run_of(tmp_path, vault)
    assert again.trial_versions() == {"DB": "db/2"}
    assert [one.reveal() for one in again.trial()] == [b"two"]


def test_a_version_that_is_gone_meanwhile_is_no_version_of_the_release(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)
    secrets.trial()
    vault.rotate(b"two")
    vault.destroy(1)
    with pytest.raises(NotFound, match=r"version 1 of the secret db is destroyed \(it was there when this run began\)"):
        secrets.pinned(OF_THE_RELEASE, vault.secret_versions)


def test_one_that_was_never_there_is_told_in_the_platforms_words(tmp_path: Path) -> None:
    vault = Vault(b"one")
    vault.destroy(1)
    with pytest.raises(NotFound) as refused:
        run_of(tmp_path, vault).pinned(OF_THE_RELEASE, vault.secret_versions)
    assert str(refused.value) == "version 1 of the secret db is destroyed"


def test_what_has_a_stand_in_is_pinned_with_the_release(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault, TEXT + '[smoke.secrets]\nDB = "env:STAND_IN"\n')
    assert list(secrets.trial_versions()) == ["DB"]
    secrets.trial()
    vault.rotate(b"two")
    assert secrets.pinned(OF_THE_RELEASE, vault.secret_versions) == {"DB": "db/2"}
    assert vault.asked == []


def test_a_platform_that_did_not_answer_is_asked_again(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)

    def silent(references: Mapping[str, str]) -> dict[str, str]:
        raise Transient("HTTP 503")

    with pytest.raises(Transient):
        secrets.pinned(OF_THE_RELEASE, silent)
    vault.rotate(b"two")
    assert secrets.pinned(OF_THE_RELEASE, vault.secret_versions) == {"DB": "db/2"}


def test_a_target_that_does_not_know_its_own_versions_again_is_not_believed(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)
    secrets.trial()
    with pytest.raises(Invalid, match="db/1"):
        secrets.pinned(OF_THE_RELEASE, lambda references: dict.fromkeys(references, "db/2"))


def test_stages_side_by_side_get_the_same_version(tmp_path: Path) -> None:
    vault = Vault(b"one")
    secrets = run_of(tmp_path, vault)
    both = threading.Barrier(2, timeout=10)
    found: list[str] = []

    def rotating(references: Mapping[str, str]) -> dict[str, str]:
        answer = vault.secret_versions(references)
        vault.rotate()
        return answer

    def stage() -> None:
        both.wait()
        found.extend(secrets.pinned(OF_THE_RELEASE, rotating).values())

    stages = [threading.Thread(target=stage) for _ in range(2)]
    for each in stages:
        each.start()
    for each in stages:
        each.join(10)
    assert found == ["db/1", "db/1"]
