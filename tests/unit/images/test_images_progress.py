"""What BuildKit says, in the three ways that it says it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shipper.images.progress import BuildProgress
from tests.unit.images.conftest import Told

pytestmark = pytest.mark.unit


def vertex(digest: str, name: str, **more: Any) -> dict[str, Any]:
    return {"vertexes": [{"digest": digest, "name": name, **more}]}


def output(digest: str, text: str, stream: int = 1) -> dict[str, Any]:
    return {"logs": [{"vertex": digest, "stream": stream, "data": base64.b64encode(text.encode()).decode()}]}


def hidden(text: str) -> str:
    return text.replace("hunter2", "***")


def feed(progress: BuildProgress, *status: dict[str, Any], indent: int | None = None) -> None:
    for each in status:
        for line in json.dumps(each, indent=indent).splitlines():
            progress.feed("stderr", line)


@pytest.mark.parametrize("indent", [None, 2])
def test_steps_are_counted_and_build_arguments_masked(told: Told, indent: int | None) -> None:
    progress = BuildProgress(told, hidden)
    feed(
        progress,
        vertex("i", "[internal] load build context", started="1"),
        vertex("f", "[builder 1/3] FROM docker.io/library/python", started="1", completed="2", cached=True),
        vertex("a", "[builder 2/3] RUN login hunter2"),
        vertex("b", "[stage-1 3/3] COPY app.py ."),
        vertex("a", "[builder 2/3] RUN login hunter2", started="1"),
        vertex("a", "[builder 2/3] RUN login hunter2", started="1", completed="2"),
        indent=indent,
    )

    assert told.steps == [("step 2/3 of builder: RUN login ***", 0, 2), ("step 2/3 of builder: RUN login ***", 1, 2)]
    assert progress.cached is False


def test_everything_from_the_cache_is_known(told: Told) -> None:
    progress = BuildProgress(told, hidden)
    feed(
        progress,
        vertex("a", "[2/3] RUN x", started="1", completed="2", cached=True),
        vertex("b", "[3/3] COPY a b", started="1", completed="2", cached=True),
    )

    assert progress.cached


def test_output_comes_line_by_line_clean_and_masked(told: Told) -> None:
    progress = BuildProgress(told, hidden)
    feed(progress, output("a", "10 %\r100 %\n\x1b[31mred\x1b[0m hun"), output("a", "ter2\nlast"), output("b", "e\n", 2))
    progress.finish()

    assert told.lines == [("stdout", "100 %"), ("stdout", "red ***"), ("stderr", "e"), ("stdout", "last")]


def test_the_last_forty_lines_are_kept(told: Told) -> None:
    progress = BuildProgress(told, hidden)
    feed(progress, output("a", "".join(f"line {i}\n" for i in range(100))))

    assert progress.output == tuple(f"line {i}" for i in range(60, 100))


def test_the_plain_text_of_old_versions_is_understood(told: Told) -> None:
    progress = BuildProgress(told, hidden)
    for line in (
        "#4 [1/3] FROM x",
        "#5 [2/3] RUN y",
        "#5 CACHED",
        "#6 [3/3] RUN z",
        "#6 0.123 hello hunter2",
        "#6 DONE 0.2s",
    ):
        progress.feed("stderr", line)

    assert told.lines == [("stdout", "hello ***")]
    assert told.steps[-1] == ("step 3/3: RUN z", 2.0, 2.0)
    assert not progress.cached


def test_what_only_looks_like_json_is_shown_as_it_is(told: Told) -> None:
    progress = BuildProgress(told, hidden)
    for line in ("{", "hunter2", "}", "ERROR: failed to solve: x"):
        progress.feed("stderr", line)

    assert progress.client == ("{", "***", "}", "ERROR: failed to solve: x")
