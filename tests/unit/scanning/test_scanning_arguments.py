"""Which build arguments and variables look like secrets, and that no message repeats one."""

from __future__ import annotations

import pytest

from shipper.scanning.arguments import looks_secret, suspicious_arguments
from shipper.scanning.dockerfile import assignments, without_ignores

pytestmark = pytest.mark.unit

GITHUB = "ghp" + "_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
RANDOM = "q7Zt1LxP0vRk9WmN" + "3bYc8HsJ5dFgU2aE"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_TOKEN", "anything-at-all"),
        ("db_password", "hunter2"),
        ("PGPASSWD", GITHUB),
        ("AWS_SECRET_ACCESS_KEY", "abc/def"),
        ("OPENAI_API_KEY", "sk"),
        ("apiKey", "abcdef"),
        ("DB_PASS", "hunter2"),
        ("MYSQL_PWD", "hunter2"),
        ("DB_PASSWORD", "${GIVEN:-hunter2}"),
        ("MODEL", GITHUB),
        ("MODEL", RANDOM),
        ("PIP_INDEX_URL", "https://somebody:hunter2@pypi.example.com/simple"),
    ],
)
def test_looks_like_a_secret(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("TOKENIZER", "bert-base-uncased"),
        ("MAX_TOKENS", "512"),
        ("KEYBOARD", "german"),
        ("DB_PASSWORD_FILE", "/run/secrets/DB_PASSWORD"),
        ("TOKEN_URL", "https://example.com/token"),
        ("TOKEN_HEADER", "X-Api-Token"),
        ("PWD", "/srv"),
        ("PASS_THROUGH", "some-words"),
        ("PAD_TOKEN", "[PAD]"),
        ("BOS_TOKEN", "<s>"),
        ("DB_PASSWORD", "${GIVEN:-}"),
        ("GITHUB_TOKEN", ""),
        ("GITHUB_TOKEN", "${GITHUB_TOKEN}"),
        ("GPG_KEY", "A035C8C19219BA821ECEA86B64E628F8D684696D"),
        ("PYTHON_SHA256", "8d3ed8ec5c88c1c95f5e558612a725450d2452813ddad5e58fdb1a53b1209b78"),
        ("GIT_COMMIT", "0123456789abcdef0123456789abcdef01234567"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("MODEL_PATH", "/models/Meta-Llama-3-8B-Instruct/consolidated/weights"),
        ("PIP_INDEX_URL", "https://pypi.example.com/simple"),
        ("NODE_OPTIONS", "--max-old-space-size=4096"),
    ],
)
def test_does_not(name: str, value: str) -> None:
    assert not looks_secret(name, value)


def test_a_message_names_the_variable_and_the_line_and_never_the_value() -> None:
    found = suspicious_arguments({"DB_PASSWORD": "hunter2"}, f"FROM x\nARG MODEL={GITHUB}\n", "Dockerfile")
    assert [finding.where for finding in found] == ["DB_PASSWORD in image.build_args", "MODEL in Dockerfile:2"]
    said = "".join(finding.model_dump_json() for finding in found)
    assert "hunter2" not in said
    assert GITHUB[:8] not in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENV A=1 B='two words' C=\"3\"", [("A", "1", 1), ("B", "two words", 1), ("C", "3", 1)]),
        ("ENV A the rest of it", [("A", "the rest of it", 1)]),
        ("env A=1 \\\n  # why\n\n  B=2\nARG C=3", [("A", "1", 1), ("B", "2", 1), ("C", "3", 5)]),
        ("ARG NOTHING\nARG B=", [("B", "", 2)]),
        ("# ENV A=1\nRUN <<EOF\nENV B=2\nEOF\nENV C=3", [("C", "3", 5)]),
        ("# escape=`\nENV A=1 `\n B=2", [("A", "1", 2), ("B", "2", 2)]),
        ("ENV A=1 \\", [("A", "1", 1)]),
        ("RUN export TOKEN=x", []),
    ],
)
def test_what_a_dockerfile_assigns(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert [(one.name, one.value, one.line) for one in assignments(text)] == expected


def test_words_for_scanners_go_and_lines_stay() -> None:
    text = "# syntax=docker/dockerfile:1\n#trivy:ignore:DS-0002\nFROM x\nRUN true \\\n  && echo //TRIVY : ignore:*\n"
    without = without_ignores(text)
    assert ":ignore" not in without.replace(" ", "")
    assert [line.split(" ")[0] for line in without.splitlines()] == ["#", "#trivy", "FROM", "RUN", ""]
    assert without.startswith("# syntax=docker/dockerfile:1\n")
