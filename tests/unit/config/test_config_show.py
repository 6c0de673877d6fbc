"""`config show` says what counts and where it comes from, and what it prints is a configuration again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipper.config import load, show
from shipper.model import Settings
from tests.unit.config.files import written

pytestmark = pytest.mark.unit

TEXT = """\
service = "iris"
[run]
memory = "512MiB"
env = { MODE = "a\\tb", API_TOKEN = "hunter2" }
[[smoke.requests]]
name = "one"
headers = { Authorization = "hunter2", Accept = "*/*" }
[environments.production.run]
port = 80
[targets.local]
kind = "docker"
"""


def test_each_value_is_shown_with_its_origin(tmp_path: Path) -> None:
    shown = show(load(written(tmp_path, TEXT), environment="production")).splitlines()

    def line(start: str) -> list[str]:
        return next(line for line in shown if line.startswith(start)).split("  # ")

    assert shown[0] == "# iris in production"
    assert [part.strip() for part in line("port")] == ["port = 80", "shipper.toml:9 (production)"]
    assert [part.strip() for part in line("memory")] == ['memory = "512MiB"', "shipper.toml:3"]
    assert [part.strip() for part in line("stop_grace")] == ['stop_grace = "10s"', "default"]
    assert [part.strip() for part in line("kind")] == ['kind = "docker"', "shipper.toml:11"]


def test_what_looks_like_a_secret_is_hidden(tmp_path: Path) -> None:
    shown = show(load(written(tmp_path, TEXT)))

    assert "hunter2" not in shown
    assert 'API_TOKEN = "***"' in shown
    assert 'headers = { Authorization = "***", Accept = "*/*" }' in shown
    assert 'MODE = "a\\tb"' in shown


ANY_JSON = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "run": st.fixed_dictionaries(
            {},
            optional={
                "port": st.integers(1, 65535),
                "memory": st.integers(1, 2**40),
                "stop_grace": st.floats(0.001, 1000),
                "command": st.lists(
                    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=4), max_size=2
                ),
                "env": st.dictionaries(
                    st.sampled_from(["A", "B"]), st.text(st.characters(exclude_categories=["Cc", "Cs"]))
                ),
                "volumes": st.just([{"source": "m", "target": "/m"}]),
            },
        ),
        "health": st.fixed_dictionaries({"json": st.dictionaries(st.text(max_size=3), ANY_JSON, max_size=2)}),
        "smoke": st.fixed_dictionaries(
            {
                "requests": st.just([])
                | st.fixed_dictionaries({"name": st.just("x"), "json": ANY_JSON}).map(lambda one: [one])
            }
        ),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SECTIONS)
def test_what_is_shown_loads_to_the_same_settings(tmp_path: Path, sections: dict[str, object]) -> None:
    written(tmp_path, 'service = "iris"\n')
    given_settings = Settings.model_validate({"service": {"service": "iris", "root": str(tmp_path)}, **sections})

    shown = show(given_settings)

    assert tomllib.loads(shown)["service"] == "iris"
    assert load(written(tmp_path, shown)) == given_settings
