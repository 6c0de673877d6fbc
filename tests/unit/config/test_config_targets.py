"""Which target is meant, and whether its own settings are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from shipper.config import ConfigProblems, check_target_settings, choose_target, load
from shipper.errors import UsageError
from shipper.model import Settings, TargetSettings
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

KINDS = ["cloudrun", "docker"]
TWO = """\
service = "iris"
[targets.local]
kind = "docker"
[targets.cloud]
kind = "cloudrun"
region = "europe-west1"
"""


class OwnSettings(BaseModel):
    """Settings of an imagined kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int = Field(default=8080, ge=1, le=65535)
    route: str | None = None


def from_url(kind: str, url: str) -> dict[str, Any]:
    return {"url": url} if url != f"{kind}://" else {}


def settings_of(tmp_path: Path, text: str) -> Settings:
    return load(written(tmp_path, text))


def chosen(settings: Settings, target: str | None) -> TargetSettings:
    return choose_target(settings, target, KINDS, from_url)


def test_without_any_target_it_is_docker(tmp_path: Path) -> None:
    target = chosen(settings_of(tmp_path, 'service = "iris"'), None)

    assert (target.name, target.kind, target.settings) == ("docker", "docker", {})


def test_the_only_target_needs_no_name(tmp_path: Path) -> None:
    text = 'service = "iris"\n[targets.local]\nkind = "docker"\nport = 9090\n'

    assert chosen(settings_of(tmp_path, text), None).settings == {"port": 9090}


def test_one_of_several_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which target\\? configured are local, cloud") as refused:
        chosen(settings_of(tmp_path, TWO), None)

    assert refused.value.hint == 'choose with --target local, or write target = "local" at the top of the file'


def test_the_file_may_name_the_default(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'target = "cloud"\n' + TWO)

    assert chosen(settings, None).name == "cloud"
    assert chosen(settings, "local").name == "local"


def test_a_kind_means_the_configured_target_of_that_kind(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, TWO)

    assert chosen(settings, "cloudrun").settings == {"region": "europe-west1"}


def test_a_kind_that_is_not_configured_has_its_defaults(tmp_path: Path) -> None:
    assert chosen(settings_of(tmp_path, 'service = "a"'), "cloudrun").name == "cloudrun"


def test_a_kind_with_several_targets_is_not_guessed(tmp_path: Path) -> None:
    text = TWO + '[targets.other]\nkind = "docker"\n'

    with pytest.raises(UsageError, match="several targets are of kind docker: local, other"):
        chosen(settings_of(tmp_path, text), "docker")


def test_a_url_names_a_place_without_any_configuration(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'service = "iris"')

    assert chosen(settings, "docker://").name == "docker"
    far = chosen(settings, "ssh://me@gpu-1.example.com")
    assert (far.name, far.kind) == ("docker-me-gpu-1-example-com", "docker")
    assert far.settings == {"url": "ssh://me@gpu-1.example.com"}
    long = chosen(settings, "cloudrun://a-project-with-a-long-name/europe-west1")
    assert len(long.name) <= 40
    assert long.name.startswith("cloudrun-a-project-with-a")


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        ("locl", 'there is no target "locl"', 'did you mean "local"?'),
        ("lambda", 'there is no target "lambda"', "targets and kinds: local, cloud, cloudrun, docker"),
        ("cloudrum://p/r", 'no target kind takes "cloudrum://"', 'did you mean "cloudrun"?'),
        ("ssh://me:hunter2@host", "the target's URL has a password in it", "leave it out"),
        ("docker://a b", "the target's URL has spaces or control characters, or is too long", "check --target"),
        ("\x1b[2J", 'there is no target "\\x1b[2J"', "targets and kinds:"),
    ],
)
def test_what_cannot_be_meant_is_told(target: str, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(settings_of(tmp_path, TWO), target)

    assert refused.value.message == message
    assert hint in refused.value.hint
    assert "hunter2" not in refused.value.hint


def test_settings_of_the_kind_are_checked_with_their_lines(tmp_path: Path) -> None:
    text = 'service = "iris"\n[targets.local]\nkind = "docker"\nport = "9090"\nroot = 1\n'
    path = written(tmp_path, text)
    settings = load(path)

    with pytest.raises(ConfigProblems) as refused:
        check_target_settings(path, settings, chosen(settings, None), OwnSettings)

    assert refused.value.message == 'the settings of target "local" are wrong'
    assert refused.value.details == (
        'shipper.toml:4:1 targets.local.port: found "9090" (text), expected a whole number from 1 to 65535',
        "  write port = 9090, without the quotes",
        "shipper.toml:5:1 targets.local.root: unknown key",
        '  did you mean "route"?',
    )


def test_settings_of_an_overlay_are_checked_where_they_are_written(tmp_path: Path) -> None:
    text = 'service = "a"\n[targets.local]\nkind = "docker"\n[environments.dev.targets.local]\nport = 0\n'
    path = written(tmp_path, text)
    settings = load(path)

    with pytest.raises(ConfigProblems) as refused:
        check_target_settings(path, settings, chosen(settings, None), OwnSettings)
    assert refused.value.details[0].startswith("shipper.toml:5:1 targets.local.port: found 0")


def test_settings_from_a_url_are_checked_without_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'service = "a"\n')
    settings = load(path)

    with pytest.raises(ConfigProblems) as refused:
        check_target_settings(path, settings, chosen(settings, "docker://x"), OwnSettings)
    assert refused.value.details[0] == "--target docker-x docker-x.url: unknown key"


def test_right_settings_come_back_as_the_kind_knows_them(tmp_path: Path) -> None:
    path = written(tmp_path, 'service = "a"\n[targets.local]\nkind = "docker"\nport = 9090\n')
    settings = load(path)

    assert check_target_settings(path, settings, chosen(settings, None), OwnSettings) == OwnSettings(port=9090)
