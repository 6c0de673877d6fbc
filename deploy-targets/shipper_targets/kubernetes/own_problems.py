"""How mistakes in own manifests are told. Pure."""

from __future__ import annotations

from shipper.errors import ConfigError


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
