"""Why a container is not ready: a pure function from facts to a dossier.

Shared by the smoke test and by the docker adapter, so that the same failure has the same name and the same hint
in both. Fetching the facts (inspect, events, logs, /proc/net/tcp) is somewhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pydantic import Field

from shipper.model.noun import Noun
from shipper.model.quantities import show_duration, show_size
from shipper.model.target import Dossier
from shipper.targets.log_patterns import explain_log

Listener = tuple[str, int]

LOG_TAIL_LINES = 40
LOG_LINE_WIDTH = 500
_DNS_ADDRESS = "127.0.0.11"  # the engine's own resolver listens there on every user-defined network
_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h
_UNAVAILABLE = 503  # by which a service says itself that it is not ready; any other status is a fault
_EXEC_FORMAT = re.compile(r"exec format error", re.IGNORECASE)
_SIGNALS = {
    132: "SIGILL: its code needs a processor that this machine has not",
    134: "SIGABRT: it gave up by itself",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL: killed from outside",
    139: "SIGSEGV: a crash in native code",
    143: "SIGTERM: told to stop",
}
_SIGNAL_HINTS = {
    132: "a library was built for a newer processor: install one for this architecture",
    134: "read the last lines: an assertion or a C++ exception ended it",
    137: "the host may be out of memory: set [run] memory, or look at the engine's log",
    139: "a native library does not fit: pin its version, or rebuild it for this base image",
    143: "something stopped it: look at the engine's log",
}


class Facts(Noun):
    """What is known about one container that should be ready. Leave out what could not be found."""

    port: int = Field(description="The port that it must listen on.")
    path: str = Field(default="/", description="The readiness path.")
    expected_status: int = 200
    running: bool = True
    exit_code: int | None = Field(default=None, description="Set when the container has ended.")
    out_of_memory: bool = Field(default=False, description="An `oom` event, or OOMKilled, was seen.")
    memory_limit: int | None = Field(default=None, description="Bytes.")
    listeners: tuple[Listener, ...] | None = Field(default=None, description="(address, port); None: not readable.")
    last_status: int | None = Field(default=None, description="The last HTTP status on the readiness path.")
    last_problem: str = Field(default="", description="Why the last answer was not ready, or there was none.")
    start_error: str = Field(default="", description="The engine's words when it could not start the container.")
    log: tuple[str, ...] = Field(default=(), description="The last lines, oldest first.")
    image_platform: str = ""
    engine_platform: str = ""
    program_platform: str | None = Field(default=None, description="What the program that it starts is built for.")
    user: str = Field(default="", description="The user that it runs as; empty means root.")
    waited: float | None = Field(default=None, description="Seconds since the start.")
    cpu_seconds: float | None = Field(default=None, description="Processor time used since the start.")
    memory_used: int | None = Field(default=None, description="Bytes in use.")


def diagnose(facts: Facts) -> Dossier:
    """The dossier of a container that is not ready.

    Causes: wrong-architecture, out-of-memory, crashed, loopback, wrong-port, bad-status, bad-answer, not-ready.
    """
    cause, reason, hint = _cause(facts)
    return Dossier(
        cause=cause,
        reason=shorten(reason),
        hint=hint,
        log_tail=tail_of(facts.log),
        exit_status=facts.exit_code,
    )


def parse_listeners(proc_net_tcp: str) -> tuple[Listener, ...]:
    """(address, port) of every listening socket, from the text of /proc/net/tcp, tcp6, or both together.

    Sorted, without repetition, without the engine's own resolver; IPv4-mapped IPv6 addresses as IPv4.
    Lines that are not of that format are skipped.
    """
    found = {listener for line in proc_net_tcp.splitlines() if (listener := _listener(line)) is not None}
    return tuple(sorted(found, key=lambda listener: (listener[1], listener[0])))


def show_listeners(listeners: Iterable[Listener]) -> str:
    """Listeners for people: "0.0.0.0:5000, [::1]:8000"."""
    return ", ".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in listeners)


def tail_of(log: Sequence[str]) -> tuple[str, ...]:
    """The last LOG_TAIL_LINES lines, each cut to LOG_LINE_WIDTH characters: a model may print a whole array."""
    return tuple(line[:LOG_LINE_WIDTH] for line in log[-LOG_TAIL_LINES:])


def shorten(text: str, width: int = 100) -> str:
    """One line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def is_loopback(address: str) -> bool:
    """Whether only the container itself can reach this address."""
    return address.startswith("127.") or address == "::1"


def _listener(line: str) -> Listener | None:
    fields = line.split()
    if len(fields) < 4 or fields[3] != _LISTEN:
        return None
    try:
        address, port = fields[1].split(":")
        listener = (_address(bytes.fromhex(address)), int(port, 16))
    except ValueError:
        return None
    return None if listener[0] == _DNS_ADDRESS else listener


def _address(raw: bytes) -> str:
    from ipaddress import IPv6Address, ip_address

    # The kernel prints 32-bit words in the host's byte order; every platform that we run on is little-endian.
    ordered = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ip_address(ordered)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _cause(facts: Facts) -> tuple[str, str, str]:
    if _is_wrong_architecture(facts):
        return _wrong_architecture(facts)
    if facts.out_of_memory:
        return _out_of_memory(facts)
    if facts.start_error:
        return _not_started(facts)
    if facts.exit_code is not None or not facts.running:
        return _crashed(facts)
    if facts.last_status is not None:
        return _bad_status(facts)
    return _silent(facts)


def _is_wrong_architecture(facts: Facts) -> bool:
    if facts.running and not facts.start_error:
        return False
    # An init as PID 1 hides the error: for a foreign program execvp() tries /bin/sh, which then complains.
    if facts.program_platform and _differ(facts.program_platform, facts.engine_platform):
        return True
    return any(_EXEC_FORMAT.search(text) for text in (facts.start_error, *facts.log[-5:]))


def _wrong_architecture(facts: Facts) -> tuple[str, str, str]:
    image, engine, program = facts.image_platform, facts.engine_platform, facts.program_platform
    if _differ(image, engine):
        return (
            "wrong-architecture",
            f"the image is for {image}, the engine runs {engine}: exec format error",
            f'build for the engine: [image] platform = "{engine}"',
        )
    built_for = f" ({program})" if program else ""
    return (
        "wrong-architecture",
        f"its program is for another architecture{built_for}: the engine runs {engine or 'another one'}",
        "install the program for this platform; a start script needs a first line such as #!/bin/sh",
    )


def _differ(platform: str, engine: str) -> bool:
    return bool(platform and engine) and architecture(platform) != architecture(engine)


def architecture(platform: str) -> str:
    """The part of a platform that decides what runs: "linux/arm64/v8" and "linux/arm64" are the same."""
    parts = platform.split("/")
    return "/".join(parts[:2] if parts[1:2] != ["arm"] else parts[:3])


def _out_of_memory(facts: Facts) -> tuple[str, str, str]:
    limit = f"its limit of {show_size(facts.memory_limit)}" if facts.memory_limit else "the host's memory"
    ended = f"and ended with exit {facts.exit_code}" if facts.exit_code is not None else "and a process was killed"
    return (
        "out-of-memory",
        f"ran out of memory: it needed more than {limit} {ended}",
        "raise [run] memory, or load less: a smaller model, fewer workers",
    )


def _not_started(facts: Facts) -> tuple[str, str, str]:
    known = explain_log((facts.start_error,), facts.user)
    if known is not None:
        return "crashed", f"could not start: {known.reason}", known.hint
    return "crashed", f"could not start: {facts.start_error}", "check CMD and ENTRYPOINT of the image and [run] command"


def _crashed(facts: Facts) -> tuple[str, str, str]:
    code = facts.exit_code
    when = f" after {show_duration(facts.waited)}" if facts.waited is not None else ""
    known = explain_log(facts.log, facts.user)
    if known is not None:
        return "crashed", f"crashed with exit {code}{when}: {known.reason}", known.hint
    if code == 0:
        return (
            "crashed",
            f"ended by itself with exit 0{when}: a service must keep running",
            "start the server in the foreground: CMD must not end",
        )
    if code in _SIGNALS:
        hint = _SIGNAL_HINTS.get(code, "read the container's last lines")
        return "crashed", f"crashed with exit {code}{when}, {_SIGNALS[code]}", hint
    last = next((line.strip() for line in reversed(facts.log) if line.strip()), "it printed nothing")
    return "crashed", f"crashed with exit {code}{when}: {last}", "read the container's last lines"


def _bad_status(facts: Facts) -> tuple[str, str, str]:
    status, path = facts.last_status, facts.path
    after = f" for {show_duration(facts.waited)}" if facts.waited is not None else ""
    if status == facts.expected_status:
        return (
            "bad-answer",
            f"{path} answers {status}, but {facts.last_problem or 'not what [health] json asks for'}",
            "wait for what the answer names, or correct [health] json",
        )
    wanted = f"{path} answers {status}{after}, not {facts.expected_status}"
    if status == _UNAVAILABLE:
        return "not-ready", wanted, "if it is still loading, raise [health] startup; else read its last lines"
    if status == 404:
        return "bad-status", wanted, "does the service have that path? Set [health] path"
    known = explain_log(facts.log, facts.user)
    if known is not None:
        return "bad-status", f"{wanted}: {known.reason}", known.hint
    return "bad-status", wanted, "read the container's last lines, or set [health] path and status"


def _silent(facts: Facts) -> tuple[str, str, str]:
    listeners = facts.listeners
    if listeners is None or _serves(facts.port, listeners):
        return _no_answer(facts)
    ours = [listener for listener in listeners if listener[1] == facts.port]
    if ours:
        return (
            "loopback",
            f"listens on {show_listeners(ours)} only: nothing outside the container can reach it",
            f'bind 0.0.0.0 instead of {ours[0][0]} (such as --host 0.0.0.0 or host="0.0.0.0")',
        )
    if listeners:
        return _wrong_port(facts, listeners)
    return _not_listening(facts)


def _serves(port: int, listeners: Iterable[Listener]) -> bool:
    return any(found == port and not is_loopback(address) for address, found in listeners)


def _wrong_port(facts: Facts, listeners: tuple[Listener, ...]) -> tuple[str, str, str]:
    reachable = [listener for listener in listeners if not is_loopback(listener[0])]
    shown = reachable or list(listeners)
    also = "" if reachable else ", and on loopback only"
    return (
        "wrong-port",
        f"listens on {show_listeners(shown[:4])}{also}, not on port {facts.port}",
        f"set [run] port = {shown[0][1]}, or let the service listen on 0.0.0.0:$PORT (PORT={facts.port})",
    )


def _not_listening(facts: Facts) -> tuple[str, str, str]:
    known = explain_log(facts.log, facts.user)
    if known is not None:
        return "not-ready", f"listens on no port{_meanwhile(facts)}: {known.reason}", known.hint
    return (
        "not-ready",
        f"listens on no port{_meanwhile(facts)}",
        "if it is still loading, raise [health] startup; else read the container's last lines",
    )


def _no_answer(facts: Facts) -> tuple[str, str, str]:
    problem = facts.last_problem or "no answer"
    return (
        "not-ready",
        f"{facts.path} on port {facts.port} gives no answer{_meanwhile(facts)}: {problem}",
        "if it is still loading, raise [health] startup; else read the container's last lines",
    )


def _meanwhile(facts: Facts) -> str:
    used = []
    if facts.cpu_seconds is not None:
        used.append(f"{show_duration(facts.cpu_seconds)} of CPU")
    if facts.memory_used is not None:
        used.append(show_size(facts.memory_used))
    waited = f" after {show_duration(facts.waited)}" if facts.waited is not None else ""
    return f"{waited} (used {', '.join(used)})" if used else waited
