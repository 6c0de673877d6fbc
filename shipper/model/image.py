"""Source and image: what goes in, what comes out, and by which digest it is known."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from shipper.model.noun import Noun, Product

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class LargeFile(Noun):
    """A file of the build context, worth naming."""

    path: str
    size: int = Field(description="Bytes.")


class Source(Product):
    """The build context as BuildKit will see it, and the commit it comes from."""

    commit: str | None = Field(description="Full commit id; None outside a git repository.")
    context_commit: str | None = Field(
        default=None, description="Full id of the last commit that touched the context: the image's revision label."
    )
    commit_time: int | None = Field(description="Unix seconds of the last commit that touched the context.")
    dirty: bool = Field(description="Whether tracked or untracked files of the context differ from the commit.")
    context_digest: Digest = Field(
        description="Over the context's files (path, mode, content), the Dockerfile and the stage."
    )
    files: int
    size: int = Field(description="Bytes that are sent to the builder.")
    largest: tuple[LargeFile, ...] = ()


class Image(Product):
    """A built image of exactly one platform, before publishing: known by its config digest, never by a tag."""

    config_digest: Digest
    source_digest: Digest
    platform: str = Field(description='Such as "linux/amd64".')
    engine_id: str = Field(description="The engine's own id. Never an identity: it differs between image stores.")
    reference: str = Field(description="The name by which the engine finds these bytes.")
    diff_ids: tuple[str, ...] = Field(description="Digests of the uncompressed layers.")
    size: int = Field(description="Sum of the uncompressed layers in bytes.")
    user: str = Field(default="", description="The image's USER; empty means root.")
    cached: bool = Field(default=False, description="Whether every step came from the build cache.")


class ImageRef(Noun):
    """An image as a release holds it."""

    config_digest: Digest
    manifest_digest: Digest | None = Field(default=None, description="The one tested platform's; once published.")
    reference: str = Field(description="repo@sha256:… once published, else the engine's name for it.")
    platform: str
    size: int = 0
