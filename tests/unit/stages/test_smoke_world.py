"""When an earlier smoke test says nothing about this one any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.config import ResolvedSecrets
from shipper.errors import PlatformError
from shipper.model import Settings
from shipper.pipeline.stage import call_with_services, options_of
from shipper.stages.smoke import smoke
from tests.unit.vault import Vault

pytestmark = pytest.mark.unit


class Candidates:
    def world(self) -> str:
        return "this engine"


def run_with(folder: Path, **sections: Any) -> ResolvedSecrets:
    """The secrets of a run whose service has the platform's secret `db`."""
    settings = Settings.model_validate(
        {
            "service": {"service": "web", "root": str(folder)},
            "run": {"secrets": {"DB": "secret-manager:db"}},
            **sections,
        }
    )
    return ResolvedSecrets(settings, {"XDG_STATE_HOME": str(folder), "TRIAL": "stand-in"}, folder)


def world(folder: Path, version: str | None, **sections: Any) -> str:
    """What the journal keeps of the world, where the platform says that its secret `db` has this version."""
    secrets = run_with(folder, **sections)

    def versions_of(references: Any) -> dict[str, str]:
        if version is None:
            raise PlatformError("no permission to look")
        return dict.fromkeys(references, version)

    secrets.reads_native(lambda reference: b"", versions_of)
    return world_of(secrets)


def world_of(secrets: ResolvedSecrets) -> str:
    reuse = options_of(smoke).reuse
    assert reuse is not None
    found: str = call_with_services(reuse.world, {"candidates": Candidates(), "secrets": secrets})
    return found


def test_a_new_version_of_a_platforms_secret_is_another_world(tmp_path: Path) -> None:
    assert world(tmp_path, "projects/a/secrets/db/versions/1") == world(tmp_path, "projects/a/secrets/db/versions/1")
    assert world(tmp_path, "projects/a/secrets/db/versions/1") != world(tmp_path, "projects/a/secrets/db/versions/2")


def test_where_nobody_can_tell_the_version_there_is_no_world_to_compare(tmp_path: Path) -> None:
    with pytest.raises(PlatformError):
        world(tmp_path, None)


@pytest.mark.parametrize("smoke", [{"secrets": {"DB": "env:TRIAL"}}, {"enabled": False}])
def test_with_a_stand_in_or_without_a_trial_the_platform_is_not_asked(tmp_path: Path, smoke: Any) -> None:
    assert world(tmp_path, None, smoke=smoke).startswith("this engine")


def test_the_world_is_that_of_the_version_which_the_candidate_gets(tmp_path: Path) -> None:
    vault, secrets = Vault(b"one"), run_with(tmp_path)
    secrets.reads_native(vault.secret_value, vault.secret_versions)
    before = world_of(secrets)
    vault.rotate(b"two")
    assert [one.reveal() for one in secrets.trial()] == [b"one"]
    assert world_of(secrets) == before, "what is kept for the next run is kept under the version that was tried out"
    after = run_with(tmp_path)
    after.reads_native(vault.secret_value, vault.secret_versions)
    assert world_of(after) != before, "a run that comes later, such as after a crash, tries the new version out"
