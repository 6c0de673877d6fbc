"""Calls of python-on-whales, with its child processes under our rules.

The library keeps no handle on the processes that it starts, hands them our whole environment, and prints complete
command lines (build arguments included) in its errors. Inside `client_call` its `subprocess.run` is ours: own
session, killed as a group on cancellation, environment allow-list; and its error becomes a short one.
"""

from __future__ import annotations

import contextvars
import importlib
import inspect
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from shipper.processes.errors import ClientFailed
from shipper.processes.runner import Cancellation, OnLine, program_of, run

Result = TypeVar("Result")

_KEPT_LINES = 1_000_000  # the library parses what it gets: only the bound in characters may cut it (tail.MAX_KEPT)


@dataclass(frozen=True)
class _Call:
    cancel: Cancellation | None
    on_line: OnLine | None
    timeout: float | None


_current: contextvars.ContextVar[_Call | None] = contextvars.ContextVar("client_call", default=None)
_install_lock = threading.Lock()


def client_call(
    function: Callable[..., Result],
    *args: Any,
    cancel: Cancellation | None = None,
    on_line: OnLine | None = None,
    timeout: float | None = None,
    **kwargs: Any,
) -> Result:
    """`function(*args, **kwargs)` of a python-on-whales client; `on_line` gets (stream, line) as they come.

    Raises ClientFailed (short, no command line), ProgramMissing, TimedOut, and what `cancel.check()` raises.
    A method that returns an iterator of lines is refused with TypeError: take the lines from `on_line`.
    """
    from python_on_whales.exceptions import DockerException

    _install()
    token = _current.set(_Call(cancel, on_line, timeout))
    failure: ClientFailed
    try:
        result = function(*args, **kwargs)
    except DockerException as error:
        failure = _short(error)
    else:
        if inspect.isgenerator(result):
            result.close()
            raise TypeError("client_call gives lines to on_line: do not ask the client for a stream")
        return result
    finally:
        _current.reset(token)
    raise failure  # outside the handler, so that the long error with its command line is not chained to it


def _short(error: Any) -> ClientFailed:
    kind = type(error).__name__
    return ClientFailed(
        program_of(error.docker_command),
        error.return_code,
        error.stderr or error.stdout or "",
        kind="" if kind == "DockerException" else kind,
    )


def _install() -> None:
    """Put our `subprocess` before the library's own, once. Outside of `client_call` it behaves as before."""
    utils: Any = importlib.import_module("python_on_whales.utils")
    with _install_lock:
        # Both print whole command lines: the first to stdout with every variable, the second when we log at -vv.
        os.environ.pop("PYTHON_ON_WHALES_DEBUG", None)
        logging.getLogger("python_on_whales").setLevel(logging.INFO)
        if not isinstance(utils.subprocess, _Routed):
            utils.subprocess = _Routed()


class _Routed:
    """Stands where the library expects the `subprocess` module."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def run(self, args: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        call = _current.get()
        if call is None:
            return subprocess.run(args, check=False, **options)
        finished = run(
            args,
            env=_added(options.get("env") or {}),
            input=options.get("input"),
            on_line=call.on_line,
            timeout=call.timeout,
            cancel=call.cancel,
            keep=_KEPT_LINES,
        )
        if finished.dropped:
            raise ClientFailed(program_of(args), finished.returncode, "its output is too long to be read")
        stdout, stderr = finished.stdout.encode(), finished.stderr.encode()
        return subprocess.CompletedProcess(args, finished.returncode, stdout, stderr)


def _added(env: Mapping[str, str]) -> dict[str, str]:
    """What the library added to our environment: only that goes on top of the allow-list."""
    return {name: value for name, value in env.items() if os.environ.get(name) != value}
