"""Cloud Resource Manager (v1, v3), IAM (v1) and Cloud Logging (v2), as far as clients of Cloud Run ask them.

Resource Manager: `projects/P:testIamPermissions` gives the permissions that were not taken away; `GET projects/P` the
project. IAM: the same question about a service account. Logging: `entries:list` of one revision, what its containers
wrote and the requests that it was asked. Based on their REST references; at most 100 permissions a call
(projects/testIamPermissions). What it gets wrong: every project and service account exists, a wildcard is no error;
entries are there at once, and there are no page tokens.
"""

from __future__ import annotations

import re
from typing import Any

from tests.rig.google import log_entries, log_filter
from tests.rig.google.access import Access
from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.names import short
from tests.rig.google.cloudrun.request_log import RequestLog
from tests.rig.google.cloudrun.state import State
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal
from tests.rig.google.subjects import home

_PROJECT = re.compile(r"^/(v1|v3)/projects/([^/:]+)(:testIamPermissions)?$")
_ACCOUNT = re.compile(r"^/v1/projects/([^/]+)/serviceAccounts/([^/:]+@[^/:]+):testIamPermissions$")


class Projects:
    def __init__(self, access: Access, state: State, requests: RequestLog) -> None:
        self._access, self._state, self._requests = access, state, requests

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        found = _PROJECT.match(request.path)
        account = _ACCOUNT.match(request.path)
        try:
            if account and request.method == "POST":
                return answer(self._test(request, home(*account.groups())))
            if found and request.method == "POST" and found.group(3):
                return answer(self._test(request, found.group(2)))
            if found and request.method == "GET" and not found.group(3):
                return answer(self._project(request, found.group(1), found.group(2)))
            if request.method == "POST" and request.path == "/v2/entries:list":
                return answer(self._entries(request))
        except ApiError as error:
            return refusal(error)
        return None

    def _test(self, request: HttpRequest, project: str) -> dict[str, Any]:
        asked = request.json().get("permissions", [])
        if len(asked) > 100:
            raise ApiError("INVALID_ARGUMENT", "Request contains more than 100 permissions.")
        had = [name for name in asked if self._access.may(request.principal, name, project)]
        return {"permissions": had} if had else {}

    def _project(self, request: HttpRequest, version: str, project: str) -> dict[str, Any]:
        self._access.require(request.principal, "resourcemanager.projects.get", project, f"projects/{project}")
        if version == "v1":
            return {"projectNumber": project_number(project), "projectId": project, "lifecycleState": "ACTIVE"}
        return {"name": f"projects/{project_number(project)}", "projectId": project, "state": "ACTIVE"}

    def _entries(self, request: HttpRequest) -> dict[str, Any]:
        body = request.json()
        names = body.get("resourceNames") or []
        if not names or any(not re.match(r"^projects/[^/]+$", name) for name in names):
            raise ApiError("INVALID_ARGUMENT", "resourceNames must name projects.")
        chosen = log_filter.read(str(body.get("filter", "")))
        revision_id = chosen.equals("resource.labels.revision_name")
        if chosen.equals("resource.type") != "cloud_run_revision" or not revision_id:
            raise ApiError("UNIMPLEMENTED", "The rig lists entries of one Cloud Run revision only.")
        found = list[dict[str, Any]]()
        for name in names:
            self._access.require(request.principal, "logging.logEntries.list", short(name), name)
            found += filter(chosen.chooses, self._of(self._state.find_revision(short(name), revision_id)))
        newest_first = body.get("orderBy", "timestamp asc") == "timestamp desc"
        found.sort(key=lambda entry: str(entry["timestamp"]), reverse=newest_first)
        size = int(body.get("pageSize") or 50)
        return {"entries": found[:size]} if found else {}

    def _of(self, revision: str | None) -> list[dict[str, Any]]:
        """All entries of a revision (its full name)."""
        if revision is None:
            return []
        lines = [log_entries.of_line(revision, line) for line in self._state.logs(revision, 1000)]
        return lines + [log_entries.of_request(revision, exchange) for exchange in self._requests.of(revision)]
