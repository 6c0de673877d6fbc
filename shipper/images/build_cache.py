"""The build cache in a registry: a repository of its own, one tag for each platform.

A build reads the tag and writes it again. The last one to finish wins, whole: a cache is never mixed of two builds.
What branches have in common is in every one of them; what one has alone is built again after another has written, and
the builder's own cache usually has that still.
"""

from __future__ import annotations

import re

from shipper.errors import ConfigError
from shipper.images.protocol import BuildRequest

_EXPORT = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
"""All stages, in a shape that every registry takes (ECR and others refuse BuildKit's own index of layers); a cache that
cannot be written does not fail the build."""
_HUB = re.compile(r"^(?:(?:index\.|registry-1\.)?docker\.io/)?(?:library/)?")


def cache_options(request: BuildRequest, *, write: bool) -> list[str]:
    """The options of buildx for `image.cache`; none without it. Raises ConfigError when it is the image's own."""
    cache = request.image.cache
    if cache is None:
        return []
    if same_repository(cache, request.image.repository):
        raise ConfigError(f"image.cache: {cache} is the image's own repository", hint=OWN_HINT)
    place = f"type=registry,ref={cache}:{request.platform.replace('/', '-')}"
    return [f"--cache-from={place}", *([f"--cache-to={place},{_EXPORT}"] if write else [])]


OWN_HINT = "give the cache a repository of its own, such as registry.example.com/team/cache/iris"


def same_repository(one: str, other: str | None) -> bool:
    """Whether both names mean one repository: "iris" is docker.io/library/iris."""
    return other is not None and _HUB.sub("", one.lower()) == _HUB.sub("", other.lower())
