"""Google's REST APIs as a person with curl uses them, with application default credentials: past shipper."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from shipper.targets.google_auth import default_credentials
from tests.contract.project import Project

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

RUN, SECRETS = "run.googleapis.com/v2", "secretmanager.googleapis.com/v1"
ARTIFACTS = "artifactregistry.googleapis.com/v1"

Found = TypeVar("Found")

PATIENCE = 180.0
"""Seconds for what was accepted to be there."""


class ByHand:
    """Any API, one call after another. Pickles: its session is made anew in another process."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.refusals: list[dict[str, Any]] = []
        """Every error that was answered, of a call or at an operation's end, in the platform's words."""

    def __getstate__(self) -> dict[str, Any]:
        return {"project": self.project, "refusals": []}

    def ask(
        self, method: str, api: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON; `api` is a host and a version, `path` a resource's name with what follows it."""
        host, _, version = api.partition("/")
        base = self.project.endpoint if self.project.endpoint and api != ARTIFACTS else f"https://{host}"
        asked = {name: value for name, value in query.items() if value}
        url = f"{base}/{version}/{path}" + (f"?{urlencode(asked)}" if asked else "")
        answer = self._session.request(method, url, json=body, timeout=60)  # type: ignore[no-untyped-call]
        found = answer.json() if answer.content else {}
        if isinstance(found, dict) and "error" in found and answer.status_code != 404:
            self.refusals.append({"method": method, "path": path, "http": answer.status_code, "error": found["error"]})
        return answer.status_code, found if isinstance(found, dict) else {}

    def needed(self, method: str, api: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Any:
        """The JSON; AssertionError with the platform's words when it refuses."""
        status, said = self.ask(method, api, path, body, **query)
        assert status == 200, f"{method} {path}: {status} {said.get('error', {}).get('message', said)}"
        return said

    def service(self, name: str) -> dict[str, Any] | None:
        """A Cloud Run service; None when there is none."""
        status, found = self.ask("GET", RUN, name)
        assert status in (200, 404), f"GET {name}: {status} {found}"
        return found if status == 200 else None

    def ended(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        """An operation of Cloud Run once it is done: with `error`, or without."""
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
        status, said = self.ask("DELETE", RUN, name)
        if status == 409:  # something else is under way there
            self.settled(name)
            status, said = self.ask("DELETE", RUN, name)
        going = status == 400 and "deleteTime" in (self.service(name) or {"deleteTime": ""})
        assert status in (200, 404) or going, f"DELETE {name}: {status} {said}"
        until(lambda: self.service(name) is None or None, f"{name} to be gone")

    def _done(self, name: str) -> dict[str, Any] | None:
        found = self.needed("GET", RUN, name)
        return dict(found) if found.get("done") else None

    @cached_property
    def _session(self) -> AuthorizedSession:
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(default_credentials())  # type: ignore[no-untyped-call]


def until(look: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
    """What `look` gives once it gives anything; AssertionError when it never does."""
    deadline, pause = time.monotonic() + patience, 0.05
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        threading.Event().wait(pause)
        pause = min(pause * 1.5, 1.0)
    return found
