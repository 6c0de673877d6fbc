"""Events as a run tells them, for the sinks' tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipper.model import Event, RunFinished, RunStarted, StageFinished, StageProgress, StageStarted

RUN = "01JABCDEFGHJKMNPQRSTVWXYZ0"


def started(**other: Any) -> RunStarted:
    values: dict[str, Any] = {
        "command": "release",
        "service": "iris",
        "environment": "dev",
        "target": "docker",
        "version": "0.1.0",
        "run": RUN,
        "at": 100.0,
    }
    return RunStarted(**{**values, **other})


def good(**other: Any) -> RunFinished:
    values: dict[str, Any] = {
        "code": 0,
        "cause": "released",
        "message": "release 42 serves",
        "serves": {
            "number": 42,
            "revision": "iris-42",
            "address": "http://localhost:8080",
            "host": "iris.localhost",
            "proof": "identity",
            "image": "registry.example.com/iris@sha256:abc",
        },
        "stages": {"build": 12.0, "scan": 3.0},
        "seconds": 15.5,
        "rollback": "ready -> #41 (2 h old, healthy for 3 d), about 3 s, warm",
        "run": RUN,
        "at": 115.5,
    }
    return RunFinished(**{**values, **other})


def bad(**other: Any) -> RunFinished:
    values: dict[str, Any] = {
        "code": 12,
        "cause": "gate",
        "message": "the gate refused this image, for 2 reasons",
        "hint": "mend the reasons above",
        "run": RUN,
        "at": 115.5,
    }
    return RunFinished(**{**values, **other})


def stage(name: str, start: float, end: float, status: Any = "done", summary: str = "") -> Sequence[Event]:
    return (
        StageStarted(stage=name, at=start),
        StageFinished(stage=name, status=status, seconds=end - start, summary=summary, at=end),
    )


def progress(name: str, at: float, text: str = "pushing", **amount: Any) -> StageProgress:
    return StageProgress(stage=name, text=text, at=at, **amount)
