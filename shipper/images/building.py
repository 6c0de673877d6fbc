"""`docker buildx build`, run to its end."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.errors import BuildError
from shipper.images.builder_ready import Builder
from shipper.images.command import build_command
from shipper.images.context import BuildContext
from shipper.images.failure import build_failure
from shipper.images.progress import BuildProgress, Mask
from shipper.images.protocol import BuildRequest
from shipper.images.workplace import Workplace
from shipper.model.context import Cancellation, Reporter
from shipper.model.quantities import show_duration
from shipper.model.secret import redact

_SHORTEST_MASKED = 4
"""Characters: a build argument such as "1" or "no" is everywhere in an output, and no secret."""

_QUIET = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_METADATA_PROVENANCE": "disabled", "DOCKER_CLI_HINTS": "false"}


def run_build(
    request: BuildRequest,
    context: BuildContext,
    tag: str,
    place: Workplace,
    builder: Builder | None,
    engine: Mapping[str, str],
    report: Reporter,
    cancel: Cancellation,
) -> BuildProgress:
    """Build, and bring the image to the engine as `tag`. `engine` is the environment of its docker commands.

    What a client cannot do is known before it begins, and left out: an old one tells its progress in another way, and
    the engine's classic image store cannot write a cache (said as a remark).
    """
    from shipper.processes import TimedOut, run

    progress_mode, write_cache = "rawjson", True
    while True:
        progress = BuildProgress(report, _mask_for(request))
        command = build_command(
            request,
            context,
            tag=tag,
            metadata=place.metadata,
            secrets=place.secrets,
            progress=progress_mode,
            builder=builder.name if builder else None,
            write_cache=write_cache,
        )
        try:
            finished = run(
                command,
                env={**_QUIET, **(builder.environment if builder else engine)},
                on_line=progress.feed,
                timeout=request.image.timeout,
                cancel=cancel,
                keep=1,
            )
        except TimedOut as error:
            raise _too_slow(request, progress) from error
        progress.finish()
        if finished.ok:
            for trouble in progress.cache_troubles:
                report.remark(trouble)
            return progress
        if progress_mode == "rawjson" and _says(progress, "invalid progress mode", "invalid progress type"):
            progress_mode = "plain"
        elif write_cache and request.image.cache and _says(progress, "cache export is not supported"):
            report.remark(f"the cache {request.image.cache} is not written: the engine's image store cannot")
            write_cache = False
        else:
            break
    raise build_failure(progress.client, progress.output, progress.failed_step, context, finished.returncode) from None


def _mask_for(request: BuildRequest) -> Mask:
    """Hides build arguments and build secrets: BuildKit prints the first, a step may print the second."""
    values = sorted(set(request.image.build_args.values()), key=len, reverse=True)
    hidden = [value for value in values if len(value) >= _SHORTEST_MASKED]

    def mask(text: str) -> str:
        for value in hidden:
            text = text.replace(value, "***")
        return redact(text, request.secrets)

    return mask


def _says(progress: BuildProgress, *words: str) -> bool:
    return any(word in line.lower() for line in progress.client for word in words)


def _too_slow(request: BuildRequest, progress: BuildProgress) -> BuildError:
    return BuildError(
        f"the build did not end within image.timeout ({show_duration(request.image.timeout)})",
        hint="raise image.timeout, or see in the lines above what it waits for",
        details=progress.output,
    )
