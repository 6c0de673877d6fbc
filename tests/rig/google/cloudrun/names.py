"""Resource names of Cloud Run: taken apart, put together, and judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.rig.google.cloudrun.errors import ApiError

_SERVICE = re.compile(r"^projects/([^/]+)/locations/([^/]+)/services/([^/]+)$")
_REVISION = re.compile(r"^(projects/[^/]+/locations/[^/]+/services/[^/]+)/revisions/([^/]+)$")
_LOCATION = re.compile(r"^projects/([^/]+)/locations/([^/]+)$")


@dataclass(frozen=True)
class ServiceName:
    project: str
    location: str
    service: str

    def __str__(self) -> str:
        return f"{self.parent}/services/{self.service}"

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"


def service_name(text: str) -> ServiceName:
    found = _SERVICE.match(text)
    if found is None:
        raise ApiError("INVALID_ARGUMENT", f"The service name '{text}' is not projects/*/locations/*/services/*.")
    return ServiceName(*found.groups())


def revision_name(text: str) -> tuple[str, str]:
    """A revision's service (full name) and its short name."""
    found = _REVISION.match(text)
    if found is None:
        problem = f"The revision name '{text}' is not projects/*/locations/*/services/*/revisions/*."
        raise ApiError("INVALID_ARGUMENT", problem)
    return found.group(1), found.group(2)


def location(text: str) -> tuple[str, str]:
    """Project and location of a parent. The wildcard "-" is no location (ListServicesRequest.parent)."""
    found = _LOCATION.match(text)
    if found is None or found.group(2) == "-":
        raise ApiError("INVALID_ARGUMENT", f"The parent '{text}' is not projects/*/locations/*.")
    return found.group(1), found.group(2)


def project_of(text: str) -> str:
    """The project of any resource name, "" when there is none."""
    parts = text.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == "projects" else ""


def short(text: str) -> str:
    return text.rsplit("/", 1)[-1]


def missing(name: str, kind: str) -> ApiError:
    """The words of the real service, as in public reports of gcloud and Terraform users."""
    parts = name.split("/")
    where = f" in region '{parts[3]}' in project '{parts[1]}'" if len(parts) > 3 else ""
    return ApiError("NOT_FOUND", f"Resource '{short(name)}' of kind '{kind}'{where} does not exist.")
