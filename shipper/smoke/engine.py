"""The Docker engine as the smoke test needs it: connecting, whether it is this machine's, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shipper.errors import CredentialsError, ShipperError, SmokeError, UnreachableError
from shipper.processes.ssh_failure import ssh_failure

if TYPE_CHECKING:
    from docker import DockerClient

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def connect() -> DockerClient:
    """The engine that builds, too. Raises UnreachableError, CredentialsError."""
    from shipper.images.connection import open_client

    return open_client()


def require_reachable(client: DockerClient) -> None:
    """Raise SmokeError when a candidate's loopback port is another machine's, and there is no ssh to lead to it."""
    from shipper.targets.docker_client import is_local, line_of

    url = str(client.api.base_url)
    if is_local(client) or line_of(client) is not None:
        return
    if not url.startswith("http+docker://") and urlsplit(url).hostname in _LOOPBACK:
        return
    raise SmokeError(
        "the smoke test cannot reach candidates of a remote Docker engine: it asks on that machine's 127.0.0.1",
        hint="use ssh://user@host for it, unset DOCKER_HOST to build and try here, or set [smoke] enabled = false",
    )


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Errors of the docker SDK become SmokeError (the engine refused), UnreachableError (it did not
    answer) or CredentialsError (its machine does not let us in)."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise refused(doing, engine_words(error)) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        if (failure := ssh_failure(error)) is not None:
            kind = CredentialsError if failure.refused else UnreachableError
            raise kind(f"could not {doing}: {failure.message}", hint=failure.hint, cause=failure.kind) from error
        raise UnreachableError(
            f"the Docker engine does not answer: could not {doing}",
            hint="is it running? docker info",
            details=(str(error),),
        ) from error


def refused(doing: str, words: str) -> ShipperError:
    """The error for an engine that answered and said no."""
    if "no space left on device" in words.lower():
        return SmokeError(
            f"could not {doing}: the engine's disk is full",
            hint="free space: docker system df, docker builder prune",
            details=(words,),
        )
    if "could not select device driver" in words:
        return SmokeError(
            f"could not {doing}: this engine has no GPU",
            hint="set [smoke] gpu = 0: it is tried without, on the CPU; or install NVIDIA's container toolkit on this "
            "machine",
            details=(words,),
        )
    return SmokeError(f"could not {doing}: the engine refused", hint="read the engine's words below", details=(words,))


def engine_words(error: Exception) -> str:
    """What the engine said, without the SDK's and the runtime's frames around it."""
    words = str(getattr(error, "explanation", None) or error)
    inner = words.partition("unable to start container process: ")[2] or words
    return " ".join(inner.removesuffix(": unknown").split())
