"""What a person with the console does to Cloud Run's services, past shipper: asked, and waited for."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Found = TypeVar("Found")

PATIENCE = 180.0
"""Seconds for what was accepted to be there."""


class ServicesByHand(ABC):
    """Cloud Run's API v2, one call after another. Names are full resource names."""

    @abstractmethod
    def run(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON; `path` is a resource's name with what follows it. Parameters that are empty are left out."""

    def service(self, name: str) -> dict[str, Any] | None:
        """A service; None when there is none."""
        status, found = self.run("GET", name)
        assert status in (200, 404), f"GET {name}: {status} {found}"
        return found if status == 200 else None

    def carry_out(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> None:
        """A write that has to succeed; returns at its operation's end."""
        status, said = self.run(method, path, body, **query)
        assert status == 200, f"{method} {path}: {status} {said}"
        ended = self.ended(said)
        assert "error" not in ended, ended

    def ended(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """An operation once it is done: with `error`, or without."""
        return until(lambda: self._done(str(operation["name"])), f"the end of {operation['name']}")

    def settled(self, name: str) -> dict[str, Any]:
        """The service once nothing is reconciled any more."""

        def there() -> dict[str, Any] | None:
            found = self.service(name)
            assert found is not None, f"{name} is gone"
            return None if found.get("reconciling") else found

        return until(there, f"{name} to settle")

    def delete_service(self, name: str) -> None:
        """It, and all of its revisions; waits until it is gone. One that is gone, or going, is no error."""
        status, said = self.run("DELETE", name)
        if status == 409:  # something else is under way there
            self.settled(name)
            status, said = self.run("DELETE", name)
        going = status == 400 and "deleteTime" in (self.service(name) or {"deleteTime": ""})
        assert status in (200, 404) or going, f"DELETE {name}: {status} {said}"
        until(lambda: self.service(name) is None or None, f"{name} to be gone")

    def _done(self, name: str) -> dict[str, Any] | None:
        status, found = self.run("GET", name)
        assert status == 200, f"GET {name}: {status} {found}"
        return found if found.get("done") else None


def until(look: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
    """What `look` gives once it gives anything; AssertionError when it never does."""
    deadline, pause = time.monotonic() + patience, 0.05
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        threading.Event().wait(pause)
        pause = min(pause * 1.5, 1.0)
    return found
