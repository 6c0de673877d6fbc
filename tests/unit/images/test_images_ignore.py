"""What .dockerignore keeps out. (tests/integration/images asks a real BuildKit the same questions.)"""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError
from shipper.images.ignore import parse_rules

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("lines", "path", "kept_out"),
    [
        ("data", "data/big.csv", True),
        ("data/", "data/big.csv", True),
        ("/data", "data/big.csv", True),
        ("data", "other/data", False),
        ("*.pyc", "a.pyc", True),
        ("*.pyc", "app/a.pyc", False),
        ("**/*.pyc", "app/deep/a.pyc", True),
        ("**/*.pyc", "a.pyc", True),
        ("**/.env", ".env", True),
        ("**/.env", "app/.env", True),
        ("app/**", "app/x/y", True),
        ("app/**/y", "app/y", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c].txt", "b.txt", True),
        ("[^a-c].txt", "b.txt", False),
        ("MODEL.onnx", "model.onnx", False),
        (r"\[x\]", "[x]", True),
        ("# comment\n  spaced.txt  ", "spaced.txt", True),
        ("*\n!app\n", "app/main.py", False),
        ("*\n!app\napp/secret", "app/secret", True),
        ("a/b\n!a/b/keep", "a/b/keep", False),
        ("!a\na", "a", True),
        ("x/../data", "data/f", True),
        ("Dockerfile", "Dockerfile", True),
    ],
)
def test_a_pattern_means_what_it_means_to_buildkit(lines: str, path: str, kept_out: bool) -> None:
    assert (parse_rules(lines).excluding(path) is not None) is kept_out


def test_the_rule_that_keeps_a_file_out_is_named_with_its_line() -> None:
    rule = parse_rules("# models\n\nmodels/*.onnx\n").excluding("models/iris.onnx")

    assert rule is not None
    assert (rule.line, rule.shown) == (3, "models/*.onnx")


@pytest.mark.parametrize("lines", ["!", "[abc", "a\\"])
def test_a_line_that_is_no_pattern_is_named(lines: str) -> None:
    with pytest.raises(ConfigError, match=r"ignore file:2"):
        parse_rules(f"fine\n{lines}")
