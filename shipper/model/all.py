"""`All[Evidence]`: a stage's parameter that takes every product of a pipeline whose class derives from Evidence."""

from __future__ import annotations

from typing import Generic, TypeVar

Base = TypeVar("Base")


class All(tuple[Base, ...], Generic[Base]):
    """The products, in the pipeline's own order (seeds first). In a test: `gate(image, All([lint, scan]), policy)`."""

    __slots__ = ()
