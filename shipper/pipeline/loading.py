"""Pipelines as data: `shipper_pipelines/<name>.toml` names seeds, stages and a goal; stages are imported here."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from importlib import resources
from typing import Any

from shipper.errors import PipelineError, UsageError
from shipper.model.noun import Product
from shipper.pipeline.pipeline import Pipeline, assemble, pipeline_error

PACKAGE = "shipper_pipelines"


def names() -> list[str]:
    """The pipelines that come with shipper."""
    files = resources.files(PACKAGE).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(name: str) -> Pipeline:
    """A pipeline that comes with shipper. Raises UsageError for an unknown name, PipelineError for a broken one."""
    if name not in names():
        raise UsageError(f'there is no pipeline "{name}"', hint=f"choose one of: {', '.join(names())}")
    return parse(resources.files(PACKAGE).joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml")


def parse(text: str, origin: str) -> Pipeline:
    """The pipeline that a TOML text describes. Raises PipelineError with every problem in `details`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{origin} is not valid TOML: {error}", hint="mend the file") from error
    name = data.get("name", origin)
    problems = [*_shape_problems(data)]
    if problems:
        raise pipeline_error(str(name), problems)
    imported: dict[str, Any] = {}
    for reference in (data["goal"], *data["seeds"], *data["stages"]):
        found = _import(reference)
        problems += [found] if isinstance(found, str) else _role_problems(reference, found, data)
        imported[reference] = found
    if problems:
        raise pipeline_error(name, problems)
    return assemble(
        name,
        goal=imported[data["goal"]],
        seeds=[imported[reference] for reference in data["seeds"]],
        stages=[imported[reference] for reference in data["stages"]],
    )


def _shape_problems(data: dict[str, Any]) -> list[str]:
    problems = [f'"{key}" is no key of a pipeline' for key in data if key not in ("name", "goal", "seeds", "stages")]
    problems += [f'"{key}" must be a text' for key in ("name", "goal") if not isinstance(data.get(key), str)]
    for key in ("seeds", "stages"):
        value = data.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            problems.append(f'"{key}" must be a list of texts such as "shipper.stages.build:build"')
    return problems


def _import(reference: str) -> type[Product] | Callable[..., Any] | str:
    """The thing that "module:name" names, or what is wrong."""
    module, _, name = reference.partition(":")
    if not module or not name:
        return f'"{reference}" is not "module:name"'
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except ImportError as error:
        return f'"{reference}" cannot be imported: {error}'
    except AttributeError:
        return f'"{reference}": {module} has no {name}'


def _role_problems(reference: str, found: Any, data: dict[str, Any]) -> list[str]:
    is_product = isinstance(found, type) and issubclass(found, Product)
    if reference in data["stages"]:
        return [] if callable(found) and not isinstance(found, type) else [f'"{reference}" is no function']
    return [] if is_product else [f'"{reference}" is no product (a type of shipper.model)']
