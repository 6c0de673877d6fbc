"""How mistakes in own manifests are told. Pure."""

from __future__ import annotations

import shlex

from shipper.errors import ConfigError
from shipper_targets.kubernetes.settings import KubernetesSettings


class ManyProblems(ConfigError):
    """Each detail is a problem by itself, with file and line; the message only sums them up."""


def printable(text: str) -> str:
    """Without line breaks, escape sequences and whatever else would make more of a line than it is."""
    return "".join(one if one.isprintable() else " " for one in text)


def told(error: ConfigError) -> tuple[str, ...]:
    """Problem by problem: the details belong to the message where they are none by themselves."""
    if isinstance(error, ManyProblems):
        return error.details
    return (": ".join((error.message, *(["; ".join(error.details)] if error.details else ()))),)


def mend(own: KubernetesSettings) -> str:
    """What to do about problems that are told with file and line."""
    if own.manifests_command:
        return f"run `{shlex.join(own.manifests_command)}` by hand to see that line, and correct what it is made from"
    return "correct the file at that line"
