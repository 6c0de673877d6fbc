"""What BuildKit says while it builds: steps, output, and whether everything came from the cache.

Understands `--progress=rawjson` (indented over many lines in buildx 0.13, one line each later) and the plain text
that older versions print. Everything is masked before anybody sees it: BuildKit prints build arguments in clear.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shipper.model.context import Reporter
from shipper.model.json_text import parse_json

Mask = Callable[[str], str]

KEPT = 40
"""How many of the last lines an error shows."""

_STEP = re.compile(r"^\[(?P<stage>[^\]]*?)\s?(?P<number>\d+)/(?P<of>\d+)\]\s+(?P<what>\S.*)$", re.DOTALL)
_PLAIN = re.compile(r"^#(?P<vertex>\d+) (?P<rest>.*)$")
_PLAIN_OUTPUT = re.compile(r"^\d+\.\d+ (?P<text>.*)$")
_CACHE = {"importing cache manifest": "read", "exporting cache to": "written"}
_NOT_THERE = re.compile(r"not found$|name unknown|NAME_UNKNOWN|manifest unknown")
_UNNAMED = re.compile(r"^(?:stage-\d+|linux/\S+)$")
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class _Step:
    """One line of the Dockerfile as BuildKit runs it. Lines that only name a base image do not count."""

    shown: str
    done: bool = False
    cached: bool = False
    error: str = ""


class BuildProgress:
    """Fed with the lines of `docker buildx build`; tells `report` what happens, and remembers the end of it."""

    def __init__(self, report: Reporter, mask: Mask) -> None:
        self._report = report
        self._mask = mask
        self._steps: dict[str, _Step] = {}
        self._open_json: list[str] = []
        self._unfinished: dict[tuple[str, int], str] = {}
        self._last: deque[str] = deque(maxlen=KEPT)
        self._client: deque[str] = deque(maxlen=200)
        self._cache_kinds: dict[str, str] = {}
        self._cache_troubles: dict[str, str] = {}

    @property
    def cached(self) -> bool:
        """Whether every step came from the cache."""
        return all(step.cached for step in self._steps.values())

    @property
    def failed_step(self) -> str:
        """The step that failed, masked: "RUN pip install -r requirements.txt"; empty when none did."""
        return next((step.shown for step in self._steps.values() if step.error), "")

    @property
    def output(self) -> tuple[str, ...]:
        """The last lines that the steps printed, masked."""
        return tuple(self._last)

    @property
    def client(self) -> tuple[str, ...]:
        """What the client said itself, masked: the failing lines of the Dockerfile and the error."""
        return tuple(self._client)

    @property
    def cache_troubles(self) -> tuple[str, ...]:
        """What went wrong with a cache, masked: BuildKit builds on without it. One that is not there yet is none."""
        return tuple(self._cache_troubles.values())

    def feed(self, stream: str, line: str) -> None:
        """One line of the client; `stream` is which of its outputs."""
        if self._open_json or line.startswith("{"):
            self._feed_json(line)
        elif match := _PLAIN.match(line):
            self._feed_plain(match["vertex"], match["rest"])
        elif line.strip():
            self._client.append(self._clean(line.rstrip()))

    def finish(self) -> None:
        """Nothing more comes: give out lines that had no end."""
        for (_, stream), rest in self._unfinished.items():
            self._say(rest, stream)
        self._unfinished.clear()

    def _feed_json(self, line: str) -> None:
        self._open_json.append(line)
        if not line.endswith("}") or (len(self._open_json) > 1 and line != "}"):
            return
        try:
            status = parse_json("\n".join(self._open_json))
        except ValueError:
            if line == "}":  # not what it looked like: show it as it is
                self._client.extend(self._clean(text) for text in self._open_json)
                self._open_json.clear()
            return
        self._open_json.clear()
        self._take(status)

    def _take(self, status: Mapping[str, Any]) -> None:
        for vertex in status.get("vertexes") or ():
            self._take_vertex(vertex)
        for log in status.get("logs") or ():
            text = base64.b64decode(log.get("data") or "").decode("utf-8", "replace")
            self._take_output(str(log.get("vertex")), int(log.get("stream") or 1), text)

    def _take_vertex(self, vertex: Mapping[str, Any]) -> None:
        self._note_cache(str(vertex.get("digest")), str(vertex.get("name", "")), str(vertex.get("error") or ""))
        step = self._step(str(vertex.get("digest")), str(vertex.get("name", "")))
        if step is None:
            return
        begins = "started" in vertex and "completed" not in vertex
        step.done = step.done or "completed" in vertex
        step.cached = step.cached or bool(vertex.get("cached"))
        step.error = str(vertex.get("error") or step.error)
        if begins or step.done:
            self._tell(step)

    def _feed_plain(self, vertex: str, rest: str) -> None:
        self._note_cache(vertex, rest, rest.removeprefix("ERROR: ") if rest.startswith("ERROR: ") else "")
        step = self._step(vertex, rest) or self._steps.get(vertex)
        if match_output := _PLAIN_OUTPUT.match(rest):
            self._say(match_output["text"], 1)
        if step is None:
            return
        step.cached = step.cached or rest == "CACHED"
        step.done = step.done or rest.startswith(("DONE", "CACHED"))
        step.error = rest if rest.startswith("ERROR") else step.error
        self._tell(step)

    def _note_cache(self, vertex: str, name: str, error: str) -> None:
        """The first error of each vertex that reads or writes a cache."""
        kind = next((kind for start, kind in _CACHE.items() if name.startswith(start)), "")
        if kind:
            self._cache_kinds[vertex] = kind
        kind = self._cache_kinds.get(vertex, "")
        if error and kind and not (kind == "read" and _NOT_THERE.search(error)):
            self._cache_troubles.setdefault(vertex, f"the build cache was not {kind}: {self._clean(error)[:300]}")

    def _step(self, vertex: str, name: str) -> _Step | None:
        if vertex not in self._steps:
            shown = _shown(name)
            if shown is None:
                return None
            self._steps[vertex] = _Step(self._clean(shown))
        return self._steps[vertex]

    def _tell(self, step: _Step) -> None:
        done = sum(1 for each in self._steps.values() if each.done)
        self._report.progress(step.shown, done, len(self._steps), "steps")

    def _take_output(self, vertex: str, stream: int, text: str) -> None:
        *lines, rest = (self._unfinished.pop((vertex, stream), "") + text).split("\n")
        for line in lines:
            self._say(line, stream)
        if rest:
            self._unfinished[vertex, stream] = rest[-(1 << 16) :]

    def _say(self, line: str, stream: int) -> None:
        shown = self._clean(line.rstrip("\r").rpartition("\r")[2])  # of a progress bar its last state
        if shown.strip():
            self._last.append(shown)
            self._report.log(shown, "stderr" if stream == 2 else "stdout")

    def _clean(self, text: str) -> str:
        return _CONTROL.sub("", self._mask(text))


def _shown(name: str) -> str | None:
    """ "[builder 2/4] RUN x" as "step 2/4 of builder: RUN x"; None for what is no step of its own."""
    match = _STEP.match(name)
    if match is None or match["what"].startswith("FROM "):
        return None
    stages = [word for word in match["stage"].split() if not _UNNAMED.match(word)]
    of = f" of {' '.join(stages)}" if stages else ""
    return f"step {match['number']}/{match['of']}{of}: {' '.join(match['what'].split())}"
