"""Run a command and hand back its output, or fail in words a person can act on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path


class RigError(Exception):
    """A part of the rig cannot be had; the message says why and what to do next."""


def run(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    feed: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run `argv` and return its standard output; with `log`, all output goes to that file instead."""
    words = [str(word) for word in argv]
    with log.open("a") if log else nullcontext() as sink:
        try:
            done = subprocess.run(
                words,
                input=feed or "",
                stdout=sink or subprocess.PIPE,
                stderr=subprocess.STDOUT if sink else subprocess.PIPE,
                env={**os.environ, **(env or {})},
                timeout=timeout,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise RigError(f"{words[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise RigError(f"{_short(words)} did not finish within {timeout:.0f} s") from None
    if done.returncode != 0:
        said = log.read_text(errors="replace") if log else done.stderr or done.stdout
        raise RigError(f"{_short(words)} failed: {_tail(said)}" + (f" ({log})" if log else ""))
    return done.stdout or ""


def attempt(argv: Sequence[str | Path], *, timeout: float | None = 20) -> str | None:
    """The output of a command that may well fail, without the trailing newline; None when it did."""
    try:
        return run(argv, timeout=timeout).strip()
    except RigError:
        return None


def _short(words: Sequence[str]) -> str:
    return " ".join([Path(words[0]).name, *words[1:4]])


def _tail(text: str, lines: int = 3) -> str:
    kept = [line.strip() for line in text.strip().splitlines() if line.strip()][-lines:]
    return " / ".join(kept) or "it said nothing"
