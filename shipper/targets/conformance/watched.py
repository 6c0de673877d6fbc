"""A target with somebody who looks over its shoulder: calls can be counted, made to fail, or be the last ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipper.targets.protocol import Target

WRITES = frozenset({"create", "shift", "replace", "finish", "abort", "retire", "write_stamp", "remove", "collect"})
"""Members that take `seen`. `make_secret_key`, `load` and `run_once` write too, and nothing that serves."""

MEMBERS = (
    *("preflight", "observe", "plan", "progress", "revisions", "records", "restorable"),
    *(
        "probe",
        "logs",
        "diagnose",
        "run_once",
        "has",
        "load",
        "measure",
        "ask",
        "secret_key",
        "make_secret_key",
        "garbage",
        "given_back",
        "differences",
        "secret_versions",
        "secret_value",
        "authorization",
        "content",
        "render",
    ),
    *sorted(WRITES),
)

Around = Callable[[str, Callable[[], Any]], Any]
"""Gets a call's name and the call; returns what it returned, or does something else."""


def watched(target: Target, around: Around) -> Target:
    """`target`, with each call going through `around`. It has exactly the members that `target` has."""
    body: dict[str, Any] = {name: _through(name, around) for name in MEMBERS if hasattr(target, name)}
    for name in ("kind", "traits", "default_platform"):
        body[name] = property(_read(name))
    made: Any = type(f"Watched{type(target).__name__}", (), body)()
    made.inner = target
    seen: Target = made
    return seen


def _read(name: str) -> Callable[[Any], Any]:
    return lambda self: getattr(self.inner, name)


def _through(name: str, around: Around) -> Callable[..., Any]:
    def call(self: Any, *words: Any, **options: Any) -> Any:
        return around(name, lambda: getattr(self.inner, name)(*words, **options))

    return call
