"""Events: what happened, as told by stages. All output is made from these and from nothing else.

The JSON schema of `--json` lines is generated from this file (docs/reference/events.md).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shipper.model.noun import Noun


class Event(Noun):
    """The base. `event` names the kind; `at` is Unix seconds; `run` the run's id."""

    event: str
    at: float = 0.0
    run: str = ""


class RunStarted(Event):
    event: Literal["run-started"] = "run-started"
    command: str
    service: str
    environment: str
    target: str
    version: str
    stand_ins: tuple[str, ...] = ()


class StageStarted(Event):
    event: Literal["stage-started"] = "stage-started"
    stage: str


class StageProgress(Event):
    """What a stage is doing right now. `done` of `total` in `unit` when that is known."""

    event: Literal["stage-progress"] = "stage-progress"
    stage: str
    text: str
    done: float | None = None
    total: float | None = None
    unit: Literal["bytes", "steps", "percent", ""] = ""


class StageLog(Event):
    """A line of a child process or a container, redacted."""

    event: Literal["stage-log"] = "stage-log"
    stage: str
    stream: str = "stdout"
    line: str


class StageFinished(Event):
    """`reused` means that the journal had a product that is still true."""

    event: Literal["stage-finished"] = "stage-finished"
    stage: str
    status: Literal["done", "failed", "reused", "cancelled"]
    seconds: float
    summary: str = ""


class EvidenceFound(Event):
    event: Literal["evidence"] = "evidence"
    stage: str
    evidence: dict[str, Any]


class TrafficShifted(Event):
    event: Literal["traffic-shifted"] = "traffic-shifted"
    weights: dict[str, int]
    putting_back: bool = False


class GateJudged(Event):
    """A gate of a bake time was judged. `measured` holds the figures that decided."""

    event: Literal["gate-judged"] = "gate-judged"
    gate: Literal["error-rate", "latency", "golden", "command"]
    revision: str
    weight: int
    ok: bool
    reason: str = ""
    measured: dict[str, float] = Field(default_factory=dict)


class Remark(Event):
    """Something that a reader should know although nothing failed."""

    event: Literal["remark"] = "remark"
    stage: str = ""
    text: str


class Serves(Noun):
    """What serves at the end of a run. After a failure the last five are not known."""

    revision: str = Field(description="The platform's name of it.")
    number: int | None = Field(default=None, description="The release; after a rollback the newer one.")
    rollback_to: int | None = Field(default=None, description="The release that came back by it.")
    release: str | None = Field(default=None, description="The release's id; null of what was here before shipper.")
    fingerprint: str | None = Field(default=None, description="What two releases of the same have in common.")
    address: str | None = Field(default=None, description="URL at which the service answers.")
    host: str | None = Field(default=None, description="The `Host` to ask it with, where it is not the URL's.")
    image: str | None = Field(default=None, description="By the registry's digest, where it was pushed.")
    previous: str | None = Field(default=None, description="The revision that served before.")
    changed: bool | None = Field(default=None, description="False: it served already, and nothing was written.")
    proof: str | None = Field(default=None, description="How it is known: answer, identity or routing.")
    probes: tuple[dict[str, Any], ...] | None = Field(
        default=None, description="What was asked: name, ok, status, seconds and problem of each."
    )


class RunFinished(Event):
    """The last event of every run. `cause` says why it ended so."""

    event: Literal["run-finished"] = "run-finished"
    code: int
    cause: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()
    refusals: tuple[dict[str, Any], ...] = ()
    serves: Serves | None = Field(default=None, description="What serves now, when known.")
    image: str = Field(
        default="", description="What `shipper publish` has published, by digest; of a release it is in `serves`."
    )
    stages: dict[str, float] = Field(default_factory=dict, description="Stage to seconds.")
    rollback: str = ""
    seconds: float = 0.0
    log: str = Field(default="", description="Path of the run log.")
