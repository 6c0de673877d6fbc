"""The build command: what decides the image, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import ConfigError
from shipper.images.command import arguments_of, build_command, labels_of
from shipper.images.context import BuildContext
from shipper.images.protocol import BuildRequest
from shipper.model import ImageSettings, ServiceSettings, Source

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


def request(image: dict[str, Any] | None = None, **source: Any) -> BuildRequest:
    known = {"commit": None, "commit_time": None, "dirty": False, "context_digest": DIGEST, "files": 1, "size": 1}
    return BuildRequest(
        service=ServiceSettings(service="iris", root="/r"),
        image=ImageSettings(**(image or {})),
        source=Source(**{**known, **source}),
        platform="linux/amd64",
    )


def test_another_commit_that_leaves_the_context_alone_changes_nothing() -> None:
    one = request(commit="1" * 40, context_commit="c" * 40, commit_time=1700000000)
    other = request(commit="2" * 40, context_commit="c" * 40, commit_time=1700000000)

    assert (labels_of(one), arguments_of(one)) == (labels_of(other), arguments_of(other))
    assert labels_of(one)["org.opencontainers.image.revision"] == "c" * 40
    assert arguments_of(one) == {"SOURCE_DATE_EPOCH": "1700000000"}


def test_uncommitted_changes_have_no_revision() -> None:
    assert labels_of(request(context_commit="c" * 40, dirty=True)) == {
        "org.opencontainers.image.title": "iris",
        "shipper.source": DIGEST,
    }


@pytest.mark.parametrize("cache_to", ["type=inline", "inline", "mode=max,type=inline", "TYPE=inline", '"type=inline"'])
def test_an_inline_cache_is_refused(context_of: Callable[..., BuildContext], cache_to: str) -> None:
    with pytest.raises(ConfigError, match="changes it"):
        build_command(request({"cache_to": (cache_to,)}), context_of({}), tag="t", metadata=Path("m"), secrets={})


def test_our_own_labels_cannot_be_taken() -> None:
    with pytest.raises(ConfigError, match="shipper's own"):
        labels_of(request({"labels": {"shipper.source": "mine"}}))


def test_a_value_can_never_become_an_option(context_of: Callable[..., BuildContext]) -> None:
    image = {"build_args": {"A": "--push"}, "labels": {"--output": "x"}, "cache_from": ("--push",)}

    command = build_command(request(image), context_of({}), tag="t", metadata=Path("m"), secrets={"S": Path('/a,"b')})

    assert "--push" not in command
    assert "--output" not in command
    assert '--secret=id=S,"src=/a,""b"' in command
    assert {"--load", "--provenance=false", "--sbom=false", "--platform=linux/amd64"} <= set(command)
