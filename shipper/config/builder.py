"""What contradicts what in `[image]` about the builder and the build cache."""

from __future__ import annotations

from collections.abc import Iterator

from shipper.config.positions import KeyPath
from shipper.images.build_cache import OWN_HINT, same_repository
from shipper.images.builder_remote import problems
from shipper.model.settings import ImageSettings

Found = tuple[KeyPath, str, str, str]
"""Path below `[image]`, message, hint, and the key that it contradicts."""

_EXAMPLES = {"remote": 'address = "tcp://builds.example.com:1234"', "kubernetes": 'context = "…" and namespace = "…"'}


def builder_contradictions(image: ImageSettings) -> Iterator[Found]:
    """Each of them; whether files and clusters are there is asked when they are used."""
    if image.cache is not None and same_repository(image.cache, image.repository):
        yield ("cache",), "the image's own repository", OWN_HINT, "repository"
    for kind, example in _EXAMPLES.items():
        if image.builder == kind and getattr(image, kind) is None:
            yield ("builder",), f"there is no [image.{kind}]", f"add it, with {example}", kind
    if image.remote is not None:
        for key, message, hint in problems(image.remote):
            yield ("remote", key), message, hint, ""
    if image.kubernetes is not None:
        for index, toleration in enumerate(image.kubernetes.tolerations):
            where: KeyPath = ("kubernetes", "tolerations", index)
            if toleration.operator == "Exists" and toleration.value is not None:
                yield (*where, "value"), "Exists takes no value", 'remove it, or write operator = "Equal"', ""
            if toleration.operator == "Equal" and toleration.key is None:
                yield (*where, "operator"), "Equal needs a key", "add key, or remove operator", ""
