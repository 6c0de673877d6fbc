"""Why a build failed, in one line and a next step, from what BuildKit said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shipper.errors import BuildError, CredentialsError, ShipperError, UnreachableError
from shipper.images.context import BuildContext

_PLACE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+)$")
_MISSING_FILE = re.compile(r'"(?P<path>/[^"]*)": not found')
_EXIT = re.compile(r"did not complete successfully: exit code: (?P<code>\d+)")
_LONGEST_STEP = 40
_LONGEST_REASON = 120
"""Characters in the message; the whole of both is in the details."""


@dataclass(frozen=True)
class _Cause:
    """A cause that we know: what BuildKit says, and what to do about it."""

    says: re.Pattern[str]
    hint: str
    kind: type[ShipperError] = BuildError


def _cause(says: str, hint: str, kind: type[ShipperError] = BuildError) -> _Cause:
    return _Cause(re.compile(says, re.IGNORECASE), hint, kind)


_CAUSES = (
    _cause(
        r"permission denied while trying to connect to the docker|dial unix \S+: connect: permission denied",
        "add your user to the group docker, or set DOCKER_HOST to an engine of your own",
        CredentialsError,
    ),
    _cause(
        r"cannot connect to the docker daemon|error during connect|is the docker daemon running",
        "start Docker, or set DOCKER_HOST to another engine",
        UnreachableError,
    ),
    _cause(
        r"(?:code = Unavailable desc = |\bUnavailable: )"
        r"(?:error reading from server|closing transport|transport is closing|connection (?:error|closed))",
        "the builder went away in the middle: look at its log, then try again; nothing of this build came here",
        UnreachableError,
    ),
    _cause(
        r"'buildx' is not a docker command|unknown flag: --progress|unknown command: docker buildx",
        "install the buildx plugin of Docker (package docker-buildx or docker-buildx-plugin)",
    ),
    _cause(
        r"no space left on device|disk quota exceeded", "free disk space on the engine: docker system df shows what"
    ),
    _cause(
        r"resolve source metadata for \S*docker/dockerfile|docker/dockerfile\S*: (?:not found|failed)",
        "the first line `# syntax=…` must be pulled: remove it, or let the engine reach that registry",
    ),
    _cause(
        r"no match for platform|does not match the specified platform|exec format error",
        "the base image has no such platform: choose another one, or change image.platform",
    ),
    _cause(r"secret \S+: not found|secret not found|secret \S+ required", "declare it under [image.secrets]"),
    _cause(
        r"target stage .* could not be found|stage .* not found|unable to find stage",
        "image.stage must be a name after AS in the Dockerfile",
    ),
    _cause(
        r"cache export is not supported",
        "this builder cannot export a cache: remove image.cache_to, or use another builder",
    ),
    _cause(
        r"pull access denied|authorization failed|401 unauthorized|403 forbidden|insufficient_scope",
        "is the base image's name right? for a private one: docker login, then try again",
    ),
    _cause(
        r"temporary failure in name resolution|could not resolve host|no such host|network is unreachable"
        r"|connection timed out|i/o timeout|max retries exceeded|tls handshake timeout|connection refused",
        "a step could not reach the network: check the engine's connection or proxy, then try again",
    ),
    _cause(
        r"failed to resolve source metadata|pull access denied|manifest unknown",
        "is the base image's name right, and can the engine reach its registry?",
    ),
    _cause(r"dockerfile parse error|unknown instruction|failed to parse", "correct the Dockerfile"),
)


def build_failure(
    client: Sequence[str], output: Sequence[str], failed_step: str, context: BuildContext, returncode: int
) -> ShipperError:
    """The error for a build that ended with `returncode`. `client` is what the client said (the place and the
    error), `output` what the steps printed, `failed_step` the step: all of it masked."""
    reason = _reason(client, returncode)
    place = _place(client)
    cause = _known(client, output, ended=bool(_EXIT.search("\n".join(client))))
    where = f" at {place}" * bool(place) + f", {_shortened(failed_step, _LONGEST_STEP)}" * bool(failed_step)
    hint = _missing_file(reason, context) or (cause.hint if cause else _last_resort(reason))
    kind = cause.kind if cause else BuildError
    return kind(
        f"the build failed{where}: {_shortened(reason, _LONGEST_REASON)}",
        hint=hint,
        details=(*output, *client)[-60:] if kind is BuildError else (),
    )


def _reason(client: Sequence[str], returncode: int) -> str:
    said = [line for line in client if line.startswith(("ERROR:", "error:"))]
    if not said:
        return client[-1] if client else f"the client ended with status {returncode} and said nothing"
    reason = said[-1].partition(":")[2].strip().removeprefix("failed to solve: ")
    exit_code = _EXIT.search(reason)
    return f"exit code {exit_code['code']}" if exit_code else reason


def _place(client: Sequence[str]) -> str:
    return next((line for line in client if _PLACE.match(line)), "")


def _known(client: Sequence[str], output: Sequence[str], *, ended: bool) -> _Cause | None:
    """What the client says goes before what a step printed. That decides the hint and never the code: tests print of
    engines and connections of their own. `ended`: the step came to its end, so that nothing was away.
    """
    for lines, is_ours in ((client[-5:], not ended), (output, False)):
        text = "\n".join(lines)
        for cause in _CAUSES:
            if (is_ours or cause.kind is BuildError) and cause.says.search(text):
                return cause
    return None


def _missing_file(reason: str, context: BuildContext) -> str:
    match = _MISSING_FILE.search(reason)
    if match is None:
        return ""
    path = match["path"].lstrip("/")
    rule = context.rules.excluding(path)
    if rule is not None and context.rules.file is not None and (context.directory / path).exists():
        return f"{path} is there, but {context.rules.file.name}:{rule.line} ({rule.shown}) keeps it out"
    return f"{path} is not in the build context {context.directory.name}/: COPY starts from there"


def _last_resort(reason: str) -> str:
    if reason.startswith("exit code"):
        return "the lines above are the step's own last words"
    return "`docker buildx build` with the same Dockerfile shows all of it"


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
