"""The permissions that a release needs, and the roles that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipper.model import Problem, Settings
from shipper.model.context import Reporter
from shipper.targets import Denied, NotFound, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.settings import CloudRunSettings

HOST, IAM_HOST = "cloudresourcemanager.googleapis.com", "iam.googleapis.com"

DEVELOPER = "roles/run.developer"
RELEASE = {
    "run.services.get": DEVELOPER,
    "run.services.create": DEVELOPER,
    "run.services.update": DEVELOPER,
    "run.services.delete": DEVELOPER,
    "run.revisions.get": DEVELOPER,
    "run.revisions.list": DEVELOPER,
    "run.revisions.delete": DEVELOPER,
}
PUBLIC = {"run.services.setIamPolicy": "roles/run.admin"}
"""Switching the check of callers off needs it (Cloud Run, "Allow public access": invoker_iam_disabled)."""

SECRETS = {"secretmanager.versions.get": "roles/secretmanager.viewer"}
ACT_AS = "iam.serviceAccounts.actAs"
ACT_AS_ROLE = "roles/iam.serviceAccountUser"


def needed(settings: Settings, own: CloudRunSettings) -> dict[str, str]:
    """Permission to a role that has it, in the project."""
    return {
        **RELEASE,
        **(PUBLIC if own.access == "public" else {}),
        **(SECRETS if settings.run.secrets else {}),
    }


def permission_problems(
    rest: Rest, api: Api, settings: Settings, own: CloudRunSettings, report: Reporter | None
) -> Iterator[Problem]:
    """One for each permission that is missing. Raises Denied, Transient.

    They are asked of the project, and what is missing there of the service: it may be given there only.
    """
    wanted = needed(settings, own)
    try:
        missing = _missing_in_project(rest, own.project, list(wanted))
    except (Denied, NotFound) as error:
        if report is not None:  # such as: the Resource Manager API is not enabled in this project
            report.remark(f"permissions could not be looked at beforehand: {error}")
        missing = []
    if missing:
        missing = _missing_on_service(api, missing)
    for name in missing:
        yield Problem(
            code=32,
            key="targets.project",
            message=f"permission {name} is missing in {own.project}",
            hint=f"{wanted[name]} has it",
        )
    if own.service_account is not None:
        yield from _act_as(rest, own.service_account)


def _missing_in_project(rest: Rest, project: str, wanted: Sequence[str]) -> list[str]:
    path = f"/v3/projects/{project}:testIamPermissions"
    answer = retry_transient(
        lambda: rest.post("ask for our permissions in the project", HOST, path, {"permissions": list(wanted)})
    )
    return [name for name in wanted if name not in answer.get("permissions", [])]


def _missing_on_service(api: Api, wanted: Sequence[str]) -> list[str]:
    asked = [name for name in wanted if name.startswith("run.") and name != "run.services.create"]
    try:
        missing = retry_transient(lambda: api.missing_permissions(asked)) if asked else []
    except (Denied, NotFound):  # no service yet, or not ours to ask
        missing = asked
    # A service that is there need not be created.
    here = ["run.services.create"] if len(missing) < len(asked) else []
    return [name for name in wanted if name in missing or (name not in asked and name not in here)]


def _act_as(rest: Rest, account: str) -> Iterator[Problem]:
    """Whether revisions may run as this account."""
    path = f"/v1/projects/-/serviceAccounts/{account}:testIamPermissions"
    try:
        answer = retry_transient(
            lambda: rest.post(f"ask whether we may use {account}", IAM_HOST, path, {"permissions": [ACT_AS]})
        )
    except NotFound:
        yield Problem(
            code=2, key="targets.service_account", message=f"there is no service account {account}", hint="create it"
        )
        return
    if ACT_AS not in answer.get("permissions", []):
        yield Problem(
            code=32,
            key="targets.service_account",
            message=f"permission {ACT_AS} on {account} is missing",
            hint=f"{ACT_AS_ROLE} has it",
        )
