"""An environment is an overlay: tables merge, everything else replaces, and each value knows where it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shipper.config import environments, load
from shipper.config.document import read
from shipper.config.overlay import merged
from shipper.config.positions import Position
from shipper.errors import UsageError
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
target = "local"

[run]
port = 8000
memory = "512MB"
command = ["a", "b", "c"]
env = { MODE = "slow", KEPT = "yes" }

[[smoke.requests]]
name = "one"

[[smoke.requests]]
name = "two"

[targets.local]
kind = "docker"

[environments.production]
target = "far"
run.memory = "1GiB"
run.command = ["d"]
run.env = { MODE = "fast" }
smoke.requests = [{ name = "three" }]

[environments.production.targets.far]
kind = "docker"
port = 9090
"""


def test_the_default_environment_is_the_file_as_it_is(tmp_path: Path) -> None:
    settings = load(written(tmp_path, TEXT))

    assert (settings.service.service, settings.service.environment) == ("iris", "dev")
    assert settings.service.root == str(tmp_path)
    assert settings.run.memory == 512_000_000
    assert settings.run.command == ("a", "b", "c")
    assert settings.target == "local"
    assert list(settings.targets) == ["local"]


def test_an_environment_is_laid_over_it(tmp_path: Path) -> None:
    settings = load(written(tmp_path, TEXT), environment="production")

    assert settings.run.port == 8000, "what the overlay does not name stays"
    assert settings.run.memory == 2**30
    assert settings.run.command == ("d",), "lists replace"
    assert settings.run.env == {"MODE": "fast", "KEPT": "yes"}, "tables merge"
    assert [request.name for request in settings.smoke.requests] == ["three"]
    assert settings.target == "far"
    assert settings.targets["far"].settings == {"port": 9090}


def test_each_value_knows_where_it_is_written(tmp_path: Path) -> None:
    source = merged(read(written(tmp_path, TEXT)), "production")

    assert (source.origin(("run", "port")), source.position(("run", "port"))) == ("file", Position(5, 1))
    assert (source.origin(("run", "memory")), source.position(("run", "memory"))) == ("overlay", Position(21, 5))
    assert source.position(("run", "env", "KEPT")) == Position(8, 24)
    assert source.origin(("run", "cpu")) == "default"


def test_an_entry_of_a_replaced_list_is_never_looked_for_in_the_list_below(tmp_path: Path) -> None:
    source = merged(read(written(tmp_path, TEXT)), "production")

    assert source.origin(("run", "command", 0)) == "overlay"
    assert source.origin(("run", "command", 2)) == "default"


def test_dev_may_have_a_section_too(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'service = "a"\n[environments.dev.run]\nport = 1\n')).run.port == 1


def test_the_environments_are_known_by_name(tmp_path: Path) -> None:
    assert environments(written(tmp_path, TEXT)) == ["dev", "production"]


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, TEXT))

    with pytest.raises(ValidationError):
        settings.run.port = 1  # type: ignore[misc]


def test_another_service_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)

    assert load(path, service="iris").service.service == "iris"
    with pytest.raises(UsageError, match='no service "irris" here; the configuration is for "iris"'):
        load(path, service="irris")


def test_windows_line_ends_are_fine(tmp_path: Path) -> None:
    assert load(written(tmp_path, TEXT.replace("\n", "\r\n")), environment="production").run.port == 8000


def test_the_smallest_configuration_is_one_line(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'service = "hello"'))

    assert (settings.run.port, settings.health.path, settings.rollout.strategy) == (8080, "/healthz", None)
    assert settings.targets == {}
