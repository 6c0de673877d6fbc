"""The build cache in a registry: a repository of its own, and no reason for a build to fail."""

from __future__ import annotations

import json

import pytest

from shipper.errors import ConfigError
from shipper.images.build_cache import cache_options, same_repository
from shipper.images.progress import BuildProgress
from shipper.images.protocol import BuildRequest
from shipper.model import ImageSettings, ServiceSettings, Source
from tests.unit.images.conftest import Told

pytestmark = pytest.mark.unit


def request(platform: str = "linux/arm64", **image: str) -> BuildRequest:
    digest = "sha256:" + "a" * 64
    source = Source(commit=None, commit_time=None, dirty=False, context_digest=digest, files=1, size=1)
    return BuildRequest(ServiceSettings(service="iris", root="/r"), ImageSettings(**image), source, platform)


def test_one_tag_for_each_platform_is_read_and_written() -> None:
    read, write = cache_options(request(cache="r.example.com/team/cache/iris"), write=True)

    place = "type=registry,ref=r.example.com/team/cache/iris:linux-arm64"
    assert read == f"--cache-from={place}"
    assert write == f"--cache-to={place},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
    assert cache_options(request(cache="r.example.com/team/cache/iris"), write=False) == [read]
    assert cache_options(request(), write=True) == []


@pytest.mark.parametrize(
    ("cache", "image"),
    [
        ("r.example.com/team/iris", "r.example.com/team/iris"),
        ("iris", "docker.io/library/iris"),
        ("team/iris", "index.docker.io/team/iris"),
    ],
)
def test_the_repository_of_the_image_is_refused(cache: str, image: str) -> None:
    assert same_repository(cache, image)
    with pytest.raises(ConfigError, match=r"image\.cache"):
        cache_options(request(cache=cache, repository=image), write=True)


def test_another_registry_is_another_repository() -> None:
    assert not same_repository("a.example.com/iris", "b.example.com/iris")
    assert not same_repository("iris", None)


def fed(told: Told, *vertexes: dict[str, str]) -> BuildProgress:
    progress = BuildProgress(told, lambda text: text.replace("hunter2", "***"))
    for each in vertexes:
        progress.feed("stderr", json.dumps({"vertexes": [each]}))
    return progress


def test_a_cache_that_is_not_there_yet_is_no_trouble(told: Told) -> None:
    missing = "failed to configure registry cache importer: 127.0.0.1:5000/a/cache:linux-amd64: not found"

    progress = fed(
        told, {"digest": "a", "name": "importing cache manifest from 127.0.0.1:5000/a/cache", "error": missing}
    )

    assert progress.cache_troubles == ()


def test_a_cache_that_is_of_no_use_is_told_once_and_masked(told: Told) -> None:
    writing = {"digest": "b", "name": "exporting cache to registry"}
    refused = {**writing, "error": "name unknown: hunter2 not found"}
    reading = {"digest": "a", "name": "importing cache manifest from r/c:t", "error": "connection refused"}

    progress = fed(told, reading, writing, refused, refused)

    assert progress.cache_troubles == (
        "the build cache was not read: connection refused",
        "the build cache was not written: name unknown: *** not found",
    )


def test_the_plain_text_of_old_versions_says_it_too(told: Told) -> None:
    progress = BuildProgress(told, str)
    for line in (
        "#10 exporting cache to registry",
        "#10 preparing build cache for export 0.0s done",
        "#10 ERROR: denied",
    ):
        progress.feed("stderr", line)

    assert progress.cache_troubles == ("the build cache was not written: denied",)
