"""Read a stage's signature: ingredients in, one product out; everything that is wrong with it, at once."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from shipper.model.all import All
from shipper.model.noun import Product
from shipper.pipeline.stage import StageOptions, options_of, services_named

Role = Literal["product", "all", "service"]


@dataclass(frozen=True)
class Ingredient:
    """One parameter of a stage: a product by its exact type, all products of a base, or a service."""

    name: str
    role: Role
    kind: type[Any]

    def takes(self, product: type[Product]) -> bool:
        """Whether a product of this type goes into this parameter."""
        if self.role == "product":
            return product is self.kind
        return self.role == "all" and issubclass(product, self.kind)


@dataclass(frozen=True)
class Step:
    """A stage as the engine sees it: a named function, its ingredients, its dish."""

    name: str
    function: Callable[..., Any]
    ingredients: tuple[Ingredient, ...]
    product: type[Product]
    options: StageOptions

    def takes(self, product: type[Product]) -> bool:
        """Whether a product of this type is an ingredient."""
        return any(ingredient.takes(product) for ingredient in self.ingredients)

    @property
    def services(self) -> tuple[Ingredient, ...]:
        """The parameters that are services."""
        return tuple(ingredient for ingredient in self.ingredients if ingredient.role == "service")


def read(function: Callable[..., Any], name: str = "") -> tuple[Step | None, list[str]]:
    """The stage behind `function` and what is wrong with it, one line per problem, naming stage and parameter."""
    name = name or str(getattr(function, "__name__", function))
    try:
        hints = typing.get_type_hints(function)
    except (NameError, AttributeError, TypeError) as error:
        return None, [f"stage {name}: its type hints do not resolve: {error}"]
    ingredients: list[Ingredient] = []
    problems: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        found = _ingredient(parameter, hints.get(parameter.name))
        if isinstance(found, Ingredient):
            ingredients.append(found)
        else:
            problems.append(f"stage {name}, parameter {parameter.name}: {found}")
    product = hints.get("return")
    if not _is_product(product):
        problems.append(f"stage {name}: returns {_show(product)}, it must return one product (a type of shipper.model)")
        return None, problems
    step = Step(name, function, tuple(ingredients), product, options_of(function))
    problems += _reuse_problems(step)
    return (None if problems else step), problems


def is_protocol(annotation: Any) -> bool:
    """Whether a type is a Protocol, that is, a service."""
    return isinstance(annotation, type) and bool(getattr(annotation, "_is_protocol", False))


def _ingredient(parameter: inspect.Parameter, annotation: Any) -> Ingredient | str:
    """The ingredient, or what is wrong with the parameter."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        return "stages take plain named parameters only"
    if annotation is None:
        return "has no type"
    if parameter.default is not parameter.empty:
        return "has a default; an ingredient is always there"
    if typing.get_origin(annotation) is All:
        (base,) = typing.get_args(annotation)
        return Ingredient(parameter.name, "all", base) if _is_product(base) else f"All[{_show(base)}] is not a product"
    if _is_product(annotation):
        return Ingredient(parameter.name, "product", annotation)
    if is_protocol(annotation):
        return Ingredient(parameter.name, "service", annotation)
    return f"{_show(annotation)} is not a product, All[...] or a protocol; Optional and Union are not allowed"


def _is_product(annotation: Any) -> typing.TypeGuard[type[Product]]:
    return isinstance(annotation, type) and issubclass(annotation, Product)


def _reuse_problems(step: Step) -> list[str]:
    """`world` and `still_true` may name only services that the stage takes."""
    if step.options.reuse is None:
        return []
    known = {ingredient.name for ingredient in step.services}
    problems = []
    for role, function, leading in (
        ("world", step.options.reuse.world, 0),
        ("still_true", step.options.reuse.still_true, 1),
    ):
        unknown = [name for name in services_named(function, leading) if name not in known]
        problems += [f"stage {step.name}: {role} names {name}, which is no service of the stage" for name in unknown]
    return problems


def _show(annotation: Any) -> str:
    if annotation is None:
        return "nothing"
    return str(getattr(annotation, "__name__", annotation)) if isinstance(annotation, type) else str(annotation)
