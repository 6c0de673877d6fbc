"""Places that pull from a registry: one image for all of a session's, which the first of them builds.

Releases differ in their configuration alone, so that each takes the time of the platform and no build.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shipper.ledger.opening import open_ledger
from shipper.model import Recorded
from tests.e2e.machine import Ended, PlatformMachine, must
from tests.e2e.tiny_place import TinyPlace

P = TypeVar("P", bound="RegistryPlace")
K = TypeVar("K")
_Held = TypeVar("_Held")

_IMAGES: dict[str, str] = {}
"""A platform's address to the image that was built there, by digest: one build for all modules of a session."""


class WasNotHeld(AssertionError):
    """The command ended before it had made that write."""


@dataclass
class RegistryPlace(TinyPlace):
    """A place whose image is known by its digest, and whose platform tells what is there."""

    SERVICE = "shop"
    image: str = field(default="", kw_only=True)
    """By digest; empty in the place that builds it."""

    @property
    @abstractmethod
    def machine(self) -> PlatformMachine: ...

    @property
    @abstractmethod
    def serves(self) -> dict[str, int]:
        """Who has traffic, by percent, as the platform says it."""

    @abstractmethod
    def stamp(self) -> dict[str, Any]:
        """What the platform keeps of the ledger: the last that was written."""

    @abstractmethod
    def left_over(self) -> list[str]:
        """What is there although nobody needs it."""

    @property
    @abstractmethod
    def in_order(self) -> bool:
        """Whether it is as a run that ended well leaves it: a test that failed may have left it otherwise."""

    @abstractmethod
    def remove(self) -> None:
        """All that is there, for ever."""

    @property
    def own_settings(self) -> dict[str, Any]:
        known = {"image": {"repository": self.image.partition("@")[0]}} if self.image else {}
        return {"health": {"timeout": "1s"}, **known}

    @property
    def build_words(self) -> tuple[object, ...]:
        return ("release", *self._here)

    @property
    def release_words(self) -> tuple[object, ...]:
        """The first one, or the image of what serves with the configuration of now."""
        known = ("--config-only",) if self.text() is not None else ("--image", self.image)
        return (*self.build_words, *known)

    @property
    def rollback_words(self) -> tuple[object, ...]:
        return ("rollback", *self._here)

    @property
    def _here(self) -> tuple[object, ...]:
        return ("--target", self.machine.kind, "--json", "-C", self.folder)

    def history(self, newest: int | None = None) -> list[Recorded]:
        environ = {**os.environ, **self.machine.store.environ}
        opened = open_ledger(
            self.machine.ledger, service=self.SERVICE, environment="dev", target=self.machine.kind, environ=environ
        )
        return list(itertools.islice(opened.history(), newest))


def until_held(process: subprocess.Popen[str], k: int, held: Callable[[], _Held | None]) -> _Held:
    """What is held, once its k-th write is. Raises WasNotHeld."""
    while (write := held()) is None:
        if process.poll() is not None:
            out, errors = process.communicate()
            raise WasNotHeld(f"it ended before its write {k}: {Ended(process.returncode, out, errors, 0)!r}")
    return write


class Places(Generic[P, K]):
    """Makes places of each kind, and keeps one of each for the tests that can share it.

    `new` makes one with nothing in it, the image is built in one of kind `simplest`.
    """

    def __init__(self, platform: str, new: Callable[[K], P], simplest: K) -> None:
        self._platform, self._new, self._simplest = platform, new, simplest
        self._made: list[P] = []
        self._kept: dict[K, P] = {}

    def fresh(self, kind: K) -> P:
        """Nothing in it yet."""
        if self._platform not in _IMAGES:
            _IMAGES[self._platform] = self._built()
        place = self._empty(kind)
        place.image = _IMAGES[self._platform]
        return place

    def kept(self, kind: K) -> P:
        """The one that tests share as long as all is well there; something serves."""
        place = self._kept.get(kind)
        if place is None or not place.in_order:
            place = self._kept[kind] = self.fresh(kind)
            place.served()
        return place

    def give_up(self, kind: K) -> None:
        """The next test gets another one."""
        self._kept.pop(kind, None)

    def close(self) -> None:
        """All that was made goes."""
        for place in self._made:
            place.remove()

    def _empty(self, kind: K) -> P:
        place = self._new(kind)
        self._made.append(place)
        return place

    def _built(self) -> str:
        place = self._empty(self._simplest)
        place.write("the image")
        ended = place.run(*place.build_words)
        must(ended)
        image: str = ended.finished["serves"]["image"]
        assert "@sha256:" in image, image
        return image
