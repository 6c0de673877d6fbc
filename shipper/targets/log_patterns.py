"""What a container's last lines say, in plain words: a table from known lines to a reason and a hint.

The lines are those of CPython 3.11 to 3.13, uvicorn, gunicorn, Flask, PyTorch, Node, the engine and its init.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Explanation(NamedTuple):
    """One line for people, and what to do next."""

    reason: str
    hint: str


class _Pattern(NamedTuple):
    line: re.Pattern[str]
    reason: str
    hint: str


def _pattern(line: str, reason: str, hint: str) -> _Pattern:
    return _Pattern(re.compile(line), reason, hint)


_NO_MODULE = "add it to the requirements; is it in the final stage, in this Python's path?"
_NO_MODULE_FOR_USER = "add it to the requirements; if pip --user put it into /root/.local, this user cannot read it"

# The first pattern that matches the newest matching line wins, so the special ones stand before the general ones.
_PATTERNS = (
    _pattern(
        r"PermissionError: .*Permission denied: '(?P<what>/root/[^']*)'",
        "the user {user} may not read {what}",
        "the packages are root's own: install them without pip --user",
    ),
    _pattern(
        r"bind.*\('[^']*', (?P<what>\d{1,3})\).*ermission denied|ermission denied.*bind.*:(?P<port>\d{1,3})\b",
        "the user {user} may not listen on a port below 1024",
        "listen on $PORT and set [run] port to 1024 or above",
    ),
    _pattern(
        r"PermissionError: .*: '(?P<what>[^']+)'",
        "the user {user} may not use {what}",
        "COPY --chown=<user>, or write to /tmp",
    ),
    _pattern(
        r"(?i)address already in use|EADDRINUSE",
        "its port is already in use inside the container",
        "does it start two servers, or a server and a reloader? Start one",
    ),
    _pattern(
        r"CUDA driver version is insufficient for CUDA runtime version",
        "the host's NVIDIA driver is too old for the image's CUDA",
        "use an older CUDA base image, or update the host's driver",
    ),
    _pattern(
        r"Found no NVIDIA driver|no CUDA-capable device|libcuda\.so\.1: cannot open",
        "it needs a GPU and sees none",
        "set [run] gpu = 1 on a host with NVIDIA's container toolkit, or use a CPU build",
    ),
    _pattern(
        r"could not select device driver",
        "this engine has no GPU driver",
        "install NVIDIA's container toolkit on the host, or set [run] gpu = 0",
    ),
    _pattern(
        r"ModuleNotFoundError: No module named '(?P<what>[^']+)'",
        "Python finds no module {what}",
        _NO_MODULE,
    ),
    _pattern(
        r'Could not import module "(?P<what>[^"]+)"',
        "the server cannot import the module {what}",
        "check the module in CMD, WORKDIR, and that COPY takes the file",
    ),
    _pattern(
        r"Attribute \"(?P<what>[^\"]+)\" not found in module|Failed to find attribute '(?P<name>[^']+)' in",
        "the server's module has no {what}",
        "check the application's name in CMD (module:name)",
    ),
    _pattern(
        r"ImportError: (?P<what>lib[^:]+): cannot open shared object file",
        "the system library {what} is missing",
        "install its package in the final stage (libgomp.so.1 is in libgomp1)",
    ),
    _pattern(
        r"compiled using NumPy 1\.x cannot be run in|numpy\.dtype size changed|_ARRAY_API not found",
        "a library was built for another NumPy",
        "pin numpy to the major version that the library was built for",
    ),
    _pattern(
        r'Form data requires "python-multipart"',
        "FastAPI needs python-multipart for form data",
        "add python-multipart to the requirements, or declare the body as JSON",
    ),
    _pattern(
        r"ImportError: (?P<what>.+)",
        "an import fails: {what}",
        "pin the versions that work together",
    ),
    _pattern(
        r"Can't get attribute '(?P<what>[^']+)' on|incompatible dtype|unsupported pickle protocol",
        "the model file does not fit the installed library",
        "pin the library to the version that wrote the model file",
    ),
    _pattern(
        r"can't open file '(?P<what>[^']+)'",
        "the program {what} is not in the image",
        "check COPY, WORKDIR and .dockerignore",
    ),
    _pattern(
        r"FileNotFoundError: .*No such file or directory: '(?P<what>[^']+)'|NO_SUCHFILE.*?(?P<file>[\w./-]+\.onnx)",
        "the file {what} is not in the container",
        "check COPY and .dockerignore; a mounted file belongs in [[run.volumes]]",
    ),
    _pattern(
        r"(?P<what>(?:Syntax|Indentation|Tab)Error: .+)",
        "{what}",
        "does the image's Python have the version that the code needs?",
    ),
    _pattern(
        r"(?i)exec: \"?(?P<what>[^\s\"]+)\"?: executable file not found|tini.* exec (?P<file>\S+) failed: No such",
        "the command {what} is not in the image",
        "check CMD, ENTRYPOINT and [run] command",
    ),
    _pattern(
        r"unable to find user (?P<what>[^:]+): no matching entries",
        "the image has no user {what}",
        "create it in the Dockerfile (RUN useradd …), or use a number such as 1000",
    ),
    _pattern(
        r"(?i)exec: \"?(?P<what>[^\s\":]+)\"?: permission denied|\[FATAL tini.*exec (?P<file>\S+) failed: Permission",
        "the program {what} is not executable",
        "RUN chmod +x it, or start it through its interpreter",
    ),
    _pattern(
        r"(?i)exec \"?(?P<what>[^\s\":]+)\"?: no such file or directory",
        "the program {what} or its interpreter is not in the image",
        "check the path, the script's #! line, and that it has no Windows line ends",
    ),
    _pattern(
        r"exec: \"?(?P<what>[^\s\":]+)\"?: stat .*no such file or directory",
        "the program {what} is not in the image",
        "check CMD, ENTRYPOINT and [run] command",
    ),
    _pattern(
        r"(?i)read-only file system(?:: '(?P<what>[^']+)')?",
        "it writes to {what} although the root file system is read-only",
        "write to /tmp, or set [run] read_only = false",
    ),
    _pattern(
        r"(?i)no space left on device",
        "no space is left on the device that it writes to",
        "free space on the engine's disk; /tmp holds 64 MB when [run] read_only = true",
    ),
    _pattern(
        r"^\s*(?:MemoryError\b|.*std::bad_alloc|.*Cannot allocate memory|.*JavaScript heap out of memory)",
        "an allocation of memory failed",
        "raise [run] memory, or load less: a smaller model, fewer workers",
    ),
    _pattern(
        r"(?i)could not translate host name|Temporary failure in name resolution|Name or service not known",
        "it cannot resolve a host name that it needs at start",
        "is that service reachable from this machine? Read the container's last lines",
    ),
    _pattern(
        r"(?i)\b(?:ConnectionRefusedError|connection refused|ECONNREFUSED)\b",
        "it cannot connect to a service that it needs at start",
        "is that service reachable from a container on this machine? localhost is the container itself",
    ),
    _pattern(
        r"Cannot find module '(?P<what>[^']+)'",
        "Node finds no module {what}",
        "add it to package.json; is node_modules in the final stage?",
    ),
    _pattern(
        r"^\s*(?:\w+\.)*(?P<what>\w+(?:Error|Exception)\b: .+)",
        "{what}",
        "read the container's last lines",
    ),
)
_ENVIRON_KEY = re.compile(r"KeyError: '(?P<what>[A-Za-z_][A-Za-z0-9_]*)'")
_ENVIRON_FRAME = re.compile(r'File "(?:<frozen os>|[^"]*/os\.py)", line \d+, in __getitem__')
_ANNOUNCED = re.compile(
    r"(?i)(?:running on|listening (?:at|on)|serving (?:http )?on)\b.*?https?://([\w.\[\]:-]+):(\d{1,5})"
)


def explain_log(log: Sequence[str], user: str = "") -> Explanation | None:
    """What the newest telling line means; None when no line is known.

    `user` is the container's user (empty or 0: root), for the words of permission errors.
    """
    variable = _missing_variable(log)
    if variable is not None:
        return variable
    for line in reversed(log):
        for pattern in _PATTERNS:
            if (match := pattern.line.search(line)) is not None:
                return _explanation(pattern, match, user)
    return None


def announced_ports(log: Sequence[str]) -> frozenset[int]:
    """Ports on which a server says that it is up: uvicorn, gunicorn, hypercorn, Flask, waitress, http.server."""
    return frozenset(int(match[2]) for line in log if (match := _ANNOUNCED.search(line)) is not None)


def has_traceback(log: Sequence[str]) -> bool:
    """Whether Python printed a traceback."""
    return any(line.lstrip().startswith("Traceback (most recent call last)") for line in log)


def _missing_variable(log: Sequence[str]) -> Explanation | None:
    # A KeyError alone may be any dictionary's; the frame above it tells os.environ apart.
    if not any(_ENVIRON_FRAME.search(line) for line in log):
        return None
    match = next((found for line in reversed(log) if (found := _ENVIRON_KEY.search(line))), None)
    if match is None:
        return None
    name = match["what"]
    return Explanation(
        f"the environment variable {name} is not set",
        f"set it in [run.env]; a secret comes as the file /run/secrets/{name}",
    )


def _explanation(pattern: _Pattern, match: re.Match[str], user: str) -> Explanation:
    what = next((group for group in match.groupdict().values() if group), None) or "a file or a program"
    hint = pattern.hint
    if hint is _NO_MODULE and user.partition(":")[0] not in {"", "0", "root"}:
        hint = _NO_MODULE_FOR_USER
    return Explanation(pattern.reason.format(what=what, user=user or "root"), hint)
