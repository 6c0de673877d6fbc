"""Google's REST APIs as a person with curl uses them, with application default credentials: past shipper."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shipper.targets.google_auth import default_credentials
from tests.conformance.cloudrun_by_hand import ServicesByHand
from tests.contract.project import Project

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

RUN, SECRETS = "run.googleapis.com/v2", "secretmanager.googleapis.com/v1"
ARTIFACTS = "artifactregistry.googleapis.com/v1"


class ByHand(ServicesByHand):
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

    def run(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> tuple[int, dict[str, Any]]:
        return self.ask(method, RUN, path, body, **query)

    @cached_property
    def _session(self) -> AuthorizedSession:
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(default_credentials())  # type: ignore[no-untyped-call]
