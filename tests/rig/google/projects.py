"""Cloud Resource Manager (v1, v3), IAM (v1) and Cloud Logging (v2), as far as clients of Cloud Run ask them.

Resource Manager: `projects/P:testIamPermissions` gives the permissions that were not taken away; `GET projects/P` the
project. IAM: the same question about a service account. Logging: `entries:list` with the filter that the console's link
of a revision has, and since when. Based on their REST references; at most 100 permissions a call
(projects/testIamPermissions). What it gets wrong: every project and service account exists, a wildcard is no error, and
a filter that cannot be read here is refused although the real language knows far more.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from typing import Any

from tests.rig.google.access import Access
from tests.rig.google.cloudrun.contract import LogLine
from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.names import service_name, short
from tests.rig.google.cloudrun.state import State
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal

_PROJECT = re.compile(r"^/(v1|v3)/projects/([^/:]+)(:testIamPermissions)?$")
_ACCOUNT = re.compile(r"^/v1/projects/([^/]+)/serviceAccounts/([^/:]+@[^/:]+):testIamPermissions$")
_TERM = re.compile(r'^([\w.]+|severity)\s*(=|>=)\s*"?([^"]*)"?$')


class Projects:
    def __init__(self, access: Access, state: State) -> None:
        self._access, self._state = access, state

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        found = _PROJECT.match(request.path)
        account = _ACCOUNT.match(request.path)
        try:
            if account and request.method == "POST":
                return answer(self._test(request, _home(*account.groups())))
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
        terms = _terms(str(body.get("filter", "")))
        found = list[dict[str, Any]]()
        for name in names:
            project = short(name)
            self._access.require(request.principal, "logging.logEntries.list", project, name)
            revision = self._state.find_revision(project, terms.get("resource.labels.revision_name", ""))
            if revision is not None and _chosen(revision, terms):
                entries = [_entry(revision, line) for line in self._state.logs(revision, 1000)]
                found += [entry for entry in entries if _time(entry["timestamp"]) >= _time(terms.get("timestamp", ""))]
        newest_first = body.get("orderBy", "timestamp asc") == "timestamp desc"
        found.sort(key=lambda entry: str(entry["timestamp"]), reverse=newest_first)
        size = int(body.get("pageSize") or 50)
        return {"entries": found[:size]} if found else {}


def _terms(text: str) -> dict[str, str]:
    """`a="x" AND b="y"`, over lines too. Only what is asked of revisions is understood."""
    found = dict[str, str]()
    for part in re.split(r"\s+AND\s+|\n", text.strip()):
        if not part.strip():
            continue
        match = _TERM.match(part.strip())
        if match is None:
            raise ApiError("INVALID_ARGUMENT", f"Unparseable filter: {part}")
        found[match.group(1)] = match.group(3)
    if found.get("resource.type") != "cloud_run_revision" or "resource.labels.revision_name" not in found:
        raise ApiError("UNIMPLEMENTED", "The rig lists entries of one Cloud Run revision only.")
    return found


def _time(text: str) -> datetime.datetime:
    """RFC 3339, as filters and entries have it; the beginning of time for ""."""
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ApiError("INVALID_ARGUMENT", f"Unparseable filter: '{text}' is no timestamp") from None


def _home(project: str, account: str) -> str:
    """The project of a service account; its address says it when the path has the wildcard "-"."""
    return project if project != "-" else account.partition("@")[2].partition(".")[0]


def _chosen(revision: str, terms: dict[str, str]) -> bool:
    service = service_name(revision.partition("/revisions/")[0])
    wanted_service = terms.get("resource.labels.service_name", service.service)
    return (
        wanted_service == service.service
        and terms.get("resource.labels.location", service.location) == service.location
    )


def _entry(revision: str, line: LogLine) -> dict[str, Any]:
    """As Cloud Run writes what a container prints: run/docs/logging#container-logs."""
    service = service_name(revision.partition("/revisions/")[0])
    at = datetime.datetime.fromtimestamp(line.at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    labels = {
        "project_id": service.project,
        "location": service.location,
        "service_name": service.service,
        "configuration_name": service.service,
        "revision_name": short(revision),
    }
    return {
        "logName": f"projects/{service.project}/logs/run.googleapis.com%2F{line.stream}",
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "timestamp": at,
        "receiveTimestamp": at,
        "insertId": hashlib.sha256(f"{line.at} {line.stream} {line.text}".encode()).hexdigest()[:16],
        "textPayload": line.text,
    }
