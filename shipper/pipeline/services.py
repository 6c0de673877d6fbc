"""Services: checked against the protocols of the stages' parameters before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from shipper.model.context import Cancellation, Reporter
from shipper.pipeline.pipeline import Pipeline, pipeline_error


def check_services(pipeline: Pipeline, services: Mapping[str, object]) -> None:
    """Every service that a stage names is there and has every member of its protocol. Raises PipelineError."""
    problems = [
        f"stage {step.name}, parameter {ingredient.name}: {problem}"
        for step in pipeline.steps
        for ingredient in step.services
        if ingredient.kind not in (Reporter, Cancellation)
        for problem in _service_problems(ingredient.name, ingredient.kind, services)
    ]
    if problems:
        raise pipeline_error(pipeline.name, problems)


def _service_problems(name: str, protocol: type[Any], services: Mapping[str, object]) -> Iterator[str]:
    if name not in services:
        yield f"no service {name} ({protocol.__name__}) was given"
        return
    missing = missing_members(services[name], protocol)
    if missing:
        found = type(services[name]).__name__
        yield f"{found} is no {protocol.__name__}: it lacks {', '.join(missing)}"


def missing_members(service: object, protocol: type[Any]) -> list[str]:
    """The members of `protocol` that `service` lacks, without evaluating a property: that may ask a platform."""
    missing = []
    for name in protocol_members(protocol):
        try:
            inspect.getattr_static(service, name)
        except AttributeError:
            if not hasattr(type(service), "__getattr__"):
                missing.append(name)
    return missing


def protocol_members(protocol: type[Any]) -> list[str]:
    """The public members of a protocol and of those that it extends."""
    names: set[str] = set()
    for base in protocol.__mro__:
        if getattr(base, "_is_protocol", False):
            names |= {name for name in (*vars(base), *vars(base).get("__annotations__", {})) if name[0] != "_"}
    return sorted(names)
