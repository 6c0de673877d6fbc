"""What the examples carry fits together: the model and its card, what is locked, what stays out of the image."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from shipper.model import GoldenRequest, HealthSettings, RunSettings

pytestmark = pytest.mark.unit

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
BOTH = pytest.mark.parametrize("name", ["iris", "hello"])


def test_the_iris_model_is_the_one_on_its_card() -> None:
    card = json.loads((EXAMPLES / "iris/model/iris.json").read_text())
    content = (EXAMPLES / "iris/model/iris.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["sha256"]


@BOTH
def test_the_settings_are_what_the_model_accepts(name: str) -> None:
    said = tomllib.loads((EXAMPLES / name / "shipper.toml").read_text())
    assert said["service"] == name
    assert RunSettings.model_validate(said["run"]).port == own_port(name)
    assert HealthSettings.model_validate(said["health"]).path == "/healthz"


def test_iris_asks_for_every_class_and_for_one_malformed_body() -> None:
    said = tomllib.loads((EXAMPLES / "iris/shipper.toml").read_text())
    requests = [GoldenRequest.model_validate(request) for request in said["smoke"]["requests"]]
    labels = {
        r.expect.json_["label"] for r in requests if isinstance(r.expect.json_, dict) and "label" in r.expect.json_
    }
    assert labels == {"setosa", "versicolor", "virginica"}
    assert [request.name for request in requests if request.bad] == ["three features"]


@BOTH
def test_the_image_runs_as_a_numeric_user_and_needs_no_frontend_image(name: str) -> None:
    dockerfile = (EXAMPLES / name / "Dockerfile").read_text()
    assert re.search(r"^USER 1000:1000$", dockerfile, re.M)
    assert "# syntax=" not in dockerfile


def test_iris_ignores_at_any_depth() -> None:
    patterns = [line for line in (EXAMPLES / "iris/.dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert [pattern for pattern in patterns if not pattern.startswith("**/")] == []
    assert {"**/.env", "**/.git", "**/__pycache__"} <= set(patterns)


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-build.txt",
        "examples/iris/requirements.txt",
        "examples/iris/requirements-train.txt",
    ],
)
def test_a_lock_pins_every_package_by_hash_and_names_no_host_and_no_folder(lock: str) -> None:
    text = (EXAMPLES.parent / lock).read_text()
    pinned = re.findall(r"^([a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?)==", text, re.M)
    assert pinned
    assert len(re.findall(r"^\S+==.* \\\n    --hash=sha256:", text, re.M)) == len(pinned)
    assert "://" not in text
    assert not re.search(r"(^|\s)/\w", text)


def own_port(name: str) -> int:
    """The port that the example listens on when nobody gives it one."""
    text = "".join(path.read_text() for path in sorted((EXAMPLES / name).rglob("*.py")))
    return int(re.findall(r'environ\.get\("PORT", "(\d+)"\)', text)[0])
