"""Which API and which projects a REST request is about, before anybody looks at what it asks.

Paths of Cloud Run's v2 are not among them: its own methods know better (cloudrun/api.py).
"""

from __future__ import annotations

import re

from tests.rig.google.http import HttpRequest

LOGGING = "logging.googleapis.com"

_NAMESPACE = re.compile(r"^/apis/serving\.knative\.dev/v1/namespaces/([^/]+)")
_PROJECT = re.compile(r"^/v[13]/projects/([^/:]+)(?:/(secrets|serviceAccounts|locations)(?:/([^/:]+)(?:/(\w+))?)?)?")
_BY_COLLECTION = {
    "secrets": "secretmanager.googleapis.com",
    "serviceAccounts": "iam.googleapis.com",
    "locations": "run.googleapis.com",
}


def subjects(request: HttpRequest) -> tuple[str, list[str]]:
    """The API's host name and the projects; ("", []) for paths of no project."""
    if request.path == "/v2/entries:list":
        names = request.json().get("resourceNames") or []
        return LOGGING, [str(name).partition("projects/")[2].partition("/")[0] for name in names]
    if found := _NAMESPACE.match(request.path):
        return "run.googleapis.com", [found.group(1)]
    if not (found := _PROJECT.match(request.path)):
        return "", []
    project, collection, name, below = found.groups()
    if collection == "serviceAccounts":
        project = home(project, name or "")
    if collection == "locations" and below == "repositories":
        return "artifactregistry.googleapis.com", [project]
    return _BY_COLLECTION.get(collection or "", "cloudresourcemanager.googleapis.com"), [project]


def home(project: str, account: str) -> str:
    """The project of a service account; its address says it when the path has the wildcard "-"."""
    return project if project != "-" else account.partition("@")[2].partition(".")[0]
