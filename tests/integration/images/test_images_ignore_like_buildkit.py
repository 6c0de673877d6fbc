"""Our reading of .dockerignore against BuildKit's own: the same files, for patterns of every kind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from shipper.images.context import open_context
from shipper.model import ImageSettings
from tests.integration.images.conftest import Project

pytestmark = pytest.mark.integration

FILES = dict.fromkeys(
    [
        "Makefile", "README.md", "a.pyc", "MODEL.onnx", "model.onnx", ".env", "[x].txt", "b.txt", "z.txt",
        "app/main.py", "app/a.pyc", "app/.env", "app/deep/er/x.py", "app/deep/er/.env", "app/README.md",
        "data/big.csv", "data/keep/me.csv", "data/keep/not.tmp", "node_modules/x/index.js", "docs/a/b/c/d.md",
    ],
    "content",
)  # fmt: skip

PATTERNS = [
    "*.pyc\n.env\ndata\n",
    "**/*.pyc\n**/.env\nnode_modules/\n",
    "*\n!app\n",
    "*\n!app/main.py\n!data/keep/*.csv\n",
    "**\n!**/*.md\n",
    "data\n!data/keep\ndata/keep/not.tmp\n",
    "/app/deep\n/[a-c].txt\n\\[x\\].txt\n",
    "[^a-y].txt\nmodel.onnx\napp/**/x.py\n",
    "docs/**/c\n!docs/a/b/c/d.md\napp/*/er\n",
    "# only a comment\n\n  README.md  \n./data/../app\n!app/README.md\n",
    "d*/k*\napp/?eep\n.dockerignore\nDockerfile\n",
    "**/deep/**\n!app/deep/er/x.py\nMakefil?\n",
]


@pytest.mark.parametrize("patterns", PATTERNS)
def test_we_send_what_buildkit_sends(
    project: Callable[[Mapping[str, str]], Project], tmp_path: Path, patterns: str
) -> None:
    files = {**FILES, ".dockerignore": patterns, "Dockerfile": "FROM scratch\nCOPY . /\n"}
    written = project(files)
    (written.root / "empty").mkdir()
    (written.root / "link").symlink_to("app/main.py")

    ours = {entry.path for entry in open_context(written.service, ImageSettings()).entries()}

    out = tmp_path / "out"
    command = ["docker", "buildx", "build", "--quiet", f"--output=type=local,dest={out}", str(written.root)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert ours == {str(path.relative_to(out)) for path in out.rglob("*")}
