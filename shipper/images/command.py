"""`docker buildx build`, as a list of arguments: everything that decides what is built, in one pure function."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from shipper.errors import ConfigError
from shipper.images.build_cache import cache_options
from shipper.images.context import BuildContext
from shipper.images.protocol import BuildRequest

RESERVED_LABELS = "shipper."


def build_command(
    request: BuildRequest,
    context: BuildContext,
    *,
    tag: str,
    metadata: Path,
    secrets: Mapping[str, Path],
    progress: str = "rawjson",
    builder: str | None = None,
    write_cache: bool = True,
) -> list[str]:
    """The whole command line. `secrets` are the files that hold the build secrets, `builder` is one of ours.

    `--load` brings the image to the engine, from a builder elsewhere as a stream (buildx keeps none of it in memory).

    No attestation and no inline cache: both would make other bytes than those that were tested. Raises ConfigError.
    """
    command = ["docker", "buildx", "build", f"--progress={progress}", "--load", "--provenance=false", "--sbom=false"]
    if builder is not None:
        command.append(f"--builder={builder}")
    command += [f"--platform={request.platform}", f"--file={context.dockerfile}", f"--tag={tag}"]
    command += [f"--metadata-file={metadata}"]
    if context.stage is not None:
        command.append(f"--target={context.stage}")
    command += [f"--label={name}={value}" for name, value in labels_of(request).items()]
    command += [f"--build-arg={name}={value}" for name, value in arguments_of(request).items()]
    command += [f"--secret={fields(id=name, src=str(path))}" for name, path in sorted(secrets.items())]
    command += [f"--cache-from={source}" for source in request.image.cache_from]
    command += [f"--cache-to={_not_inline(export)}" for export in request.image.cache_to]
    command += cache_options(request, write=write_cache)
    return [*command, str(context.directory)]


def labels_of(request: BuildRequest) -> dict[str, str]:
    """The image's labels: from the context and the configuration alone, so that nothing changed means the same
    image. The revision is the last commit that touched the context, and absent while that is edited."""
    source = request.source
    for name in request.image.labels:
        if name.startswith(RESERVED_LABELS):
            raise ConfigError(f"image.labels.{name!r} is shipper's own", hint=f"use a name without {RESERVED_LABELS!r}")
    own = {"org.opencontainers.image.title": request.service.service, "shipper.source": source.context_digest}
    if source.context_commit is not None and not source.dirty:
        own["org.opencontainers.image.revision"] = source.context_commit
    return dict(sorted({**own, **request.image.labels}.items()))


def arguments_of(request: BuildRequest) -> dict[str, str]:
    """Build arguments, with SOURCE_DATE_EPOCH (the last commit that touched the context) unless it is set."""
    epoch = {} if request.source.commit_time is None else {"SOURCE_DATE_EPOCH": str(request.source.commit_time)}
    return dict(sorted({**epoch, **request.image.build_args}.items()))


def _not_inline(export: str) -> str:
    fields = [field.replace(" ", "").lower() for field in next(csv.reader([export]), [])]
    if "type=inline" in fields or "inline" in fields:
        raise ConfigError(
            "image.cache_to: an inline cache is written into the image and changes it",
            hint='export it beside the image: "type=registry,ref=…"',
        )
    return export


def fields(**named: str) -> str:
    """Fields as buildx reads them: comma-separated values, quoted where a path has a comma or a quote."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([f"{name}={value}" for name, value in named.items()])
    return line.getvalue()
