"""The permissions that a release needs, and the roles that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shipper.model import Problem
from shipper.model.context import Reporter
from shipper.targets import Denied, Invalid, NotFound, retry_transient
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_manager import HOST as SECRETS_HOST
from shipper_targets.cloudrun.secret_names import parse_reference
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

INVOKE = {"run.routes.invoke": "roles/run.invoker"}
"""Asking a service that asks who is there: before it gets traffic, and when it is verified."""

ACCESS, ACCESS_ROLE = "secretmanager.versions.access", "roles/secretmanager.secretAccessor"
CREATE = "run.services.create"
ACT_AS = "iam.serviceAccounts.actAs"
ACT_AS_ROLE = "roles/iam.serviceAccountUser"


def needed(own: CloudRunSettings) -> dict[str, str]:
    """Permission to a role that has it, in the project. Secrets are not among them: each is looked at itself."""
    return {
        **RELEASE,
        **(PUBLIC if own.access == "public" else {}),
        **(INVOKE if own.asks_who_is_there else {}),
    }


def permission_problems(rest: Rest, api: Api, own: CloudRunSettings, report: Reporter | None) -> Iterator[Problem]:
    """One for each permission that is missing. Raises Denied, Transient.

    They are asked of the project, and what is missing there of the service: it may be given there only.
    """
    wanted = needed(own)
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
        yield from _act_as(rest, own.service_account, report)


def may_read_value(rest: Rest, project: str, reference: str) -> bool:
    """Whether the secret's value is for us to read, as far as that can be asked: of the project, then of the secret.

    True when nobody says. Raises Transient.
    """
    secret = parse_reference(reference, project)
    try:
        if not _missing_in_project(rest, secret.project, [ACCESS]):
            return True
    except (Denied, NotFound):
        pass  # not ours to ask there: the secret's own answer has the project's in it
    path = f"/v1/projects/{secret.project}/secrets/{secret.secret}:testIamPermissions"
    doing = f"ask whether we may read the value of the secret {secret.secret}"
    try:
        answer = retry_transient(lambda: rest.post(doing, SECRETS_HOST, path, {"permissions": [ACCESS]}))
    except (Denied, Invalid):
        return True
    except NotFound:
        return False  # the project has said no, and the secret says nothing
    return ACCESS in answer.get("permissions", [])


def _missing_in_project(rest: Rest, project: str, wanted: Sequence[str]) -> list[str]:
    path = f"/v3/projects/{project}:testIamPermissions"
    answer = retry_transient(
        lambda: rest.post("ask for our permissions in the project", HOST, path, {"permissions": list(wanted)})
    )
    return [name for name in wanted if name not in answer.get("permissions", [])]


def _missing_on_service(api: Api, wanted: Sequence[str]) -> list[str]:
    asked = [name for name in wanted if name != CREATE]
    try:
        missing = retry_transient(lambda: api.missing_permissions(asked)) if asked else []
    except (Denied, NotFound):  # no service yet, or not ours to ask
        missing = asked
    return [name for name in wanted if name in missing or (name == CREATE and not _is_there(api))]


def _is_there(api: Api) -> bool:
    """A service that is there need not be created. One that we may not see is a problem of its own."""
    try:
        return retry_transient(api.service) is not None
    except Denied:
        return False


def _act_as(rest: Rest, account: str, report: Reporter | None) -> Iterator[Problem]:
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
    except Denied as error:  # such as: the IAM API is not enabled in this project, which a release does not need
        if report is not None:
            report.remark(f"{ACT_AS} on {account} could not be looked at beforehand: {error}")
        return
    if ACT_AS not in answer.get("permissions", []):
        yield Problem(
            code=32,
            key="targets.service_account",
            message=f"permission {ACT_AS} on {account} is missing",
            hint=f"{ACT_AS_ROLE} has it",
        )
