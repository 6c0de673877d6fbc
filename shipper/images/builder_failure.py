"""Why a builder of ours cannot be had, told from what buildx says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shipper.errors import ConfigError, CredentialsError, ShipperError, UnreachableError, UsageError
from shipper.images.builder import Instance
from shipper.model.quantities import show_duration

_PREFIX = re.compile(r"^(?:ERROR|error):\s*")
_NOISE = re.compile(r"^(?:#\d+|-+$|> |WARNING|time=|context canceled$)")
WAITING = "it did not answer"
"""Said for buildx, when it was still waiting."""
_LONGEST = 300
"""Characters of what buildx says in a message; the whole of it is in the details."""


@dataclass(frozen=True)
class _Cause:
    """What buildx says; what we make of it. `{place}`, `{driver}` and `{said}` in the message. `driver`: the only one
    that it is about; "" for all.
    """

    says: re.Pattern[str]
    kind: type[ShipperError]
    message: str
    hint: str
    driver: str = ""


def _cause(says: str, kind: type[ShipperError], message: str, hint: str, driver: str = "") -> _Cause:
    return _Cause(re.compile(says, re.IGNORECASE), kind, message, hint, driver)


_CAUSES = (
    _cause(
        r"exceeded quota|failed quota",
        UnreachableError,
        "the builder cannot be had in {place}: {said}",
        "make room in the namespace's ResourceQuota, or ask in [image.kubernetes] for what it leaves",
        "kubernetes",
    ),
    _cause(
        r'admission webhook .* denied|is forbidden: (?!user ")',  # every authorizer says: User "x" cannot …
        UnreachableError,
        "the builder is not accepted in {place}: {said}",
        "no permission is missing: ask who runs the cluster what it takes, or use another namespace",
        "kubernetes",
    ),
    _cause(
        r"is forbidden|\bforbidden\b|unauthorized|must be logged in|getting credentials",
        CredentialsError,
        "we may not use the builder in {place}: {said}",
        "docs/howto.md lists what it takes: deployments, pods and pods/exec of that namespace",
        "kubernetes",
    ),
    _cause(
        r"\bforbidden\b|unauthorized|unauthenticated|permission denied|bad certificate|certificate required",
        CredentialsError,
        "we may not use the builder at {place}: {said}",
        "[image.remote] cert and key, or what ssh uses, must be of somebody who may",
        "remote",
    ),
    _cause(
        r"context .* does not exist|context was not found|no configuration has been provided|error loading config",
        ConfigError,
        "image.kubernetes: the kubeconfig does not help to reach {place}: {said}",
        "`kubectl config get-contexts` lists the contexts",
        "kubernetes",
    ),
    _cause(
        r"namespaces? .* not found",
        ConfigError,
        "image.kubernetes.namespace: {said}",
        "make it, or name one that is there: shipper makes none",
        "kubernetes",
    ),
    _cause(
        r"invalid driver option|quantities must match|is invalid:|invalid value",
        ConfigError,
        "[image.{driver}] is not accepted: {said}",
        "correct that setting; for an option that buildx does not know update buildx",
    ),
    _cause(
        r"'buildx' is not a docker command|unknown flag: --(?:bootstrap|driver)|unknown command: docker buildx",
        UsageError,
        "docker has no buildx, or one that is too old: {said}",
        "install the buildx plugin of Docker (package docker-buildx or docker-buildx-plugin)",
    ),
)


def builder_failure(said: str, instance: Instance) -> ShipperError:
    """The error for a builder that could not be made or started. Never a reason to build elsewhere."""
    lines = _lines(said)
    for cause in (one for one in _CAUSES if one.driver in ("", instance.driver)):
        if line := next((line for line in lines if cause.says.search(line)), ""):
            message = cause.message.format(place=instance.place, driver=instance.driver, said=line[:_LONGEST])
            return cause.kind(message, hint=cause.hint, details=lines[-10:])
    last = lines[-1][:_LONGEST] if lines else "it said nothing"
    return UnreachableError(
        f"the builder in {instance.place} cannot be used: {last}",
        hint=f"{instance.advice} shows more" if instance.advice else "does its host answer, and does buildkitd run?",
        details=lines[-10:],
    )


def too_late(said: str, instance: Instance) -> ShipperError:
    """The error for a builder that was not ready in time."""
    lines = _lines(said)
    section = instance.driver
    return UnreachableError(
        f"the builder in {instance.place} was not ready after {show_duration(instance.patience)}"
        + (f": {lines[-1][:_LONGEST]}" if lines else ""),
        hint=(f"{instance.advice} says why; " if instance.advice else "")
        + f"image.{section}.start_timeout is how long",
        details=lines[-10:],
    )


def never_ready(words: str, instance: Instance) -> ShipperError:
    """The error for pods that cannot get ready however long one waits."""
    return UnreachableError(
        f"the builder in {instance.place} cannot get ready: {words[:_LONGEST]}",
        hint=f"{instance.advice} shows more; [image.kubernetes] says what is asked for",
        details=[words],
    )


def gets_ready(said: str) -> bool:
    """Whether buildx gave up on what may still come: pods that start, or that another run is just making."""
    return said == WAITING or bool(re.search(r"expected \d+ replicas to be ready|already exists", said))


def _lines(said: str) -> Sequence[str]:
    lines = [_PREFIX.sub("", line.strip()) for line in said.splitlines() if line.strip()]
    return list(dict.fromkeys(line for line in lines if not _NOISE.match(line)))
