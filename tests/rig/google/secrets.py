"""Secret Manager v1 over REST: secrets, versions, access; what `https://secretmanager.googleapis.com/v1` answers.

Based on cloud.google.com/secret-manager/docs/reference/rest and the messages of google.cloud.secretmanager_v1. Payloads
carry a CRC32C in the real service, which is checked when a client sends one; here it is neither sent nor checked.
What it gets wrong: no replication, rotation, labels or version aliases, nothing regional.
"""

from __future__ import annotations

import base64
import datetime
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.rig.google.access import Access
from tests.rig.google.cloudrun.contract import SecretRef
from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal

_PATH = re.compile(r"^/v1/projects/([^/]+)/secrets(?:/([^/:]+))?(?:/(versions)(?:/([^/:]+))?)?(?::(\w+))?$")
_ID = re.compile(r"^[A-Za-z0-9_-]{1,255}$")


@dataclass
class Version:
    value: bytes
    state: str = "ENABLED"
    made: str = ""


@dataclass
class Secret:
    made: str
    versions: list[Version] = field(default_factory=list)


class Secrets:
    """All secrets, by project and short name."""

    def __init__(self, access: Access) -> None:
        self._access, self._lock = access, threading.RLock()
        self._all: dict[tuple[str, str], Secret] = {}

    def value(self, ref: SecretRef) -> bytes:
        """What a revision reads; ApiError in the words that a failed revision shows."""
        name = f"projects/{ref.project}/secrets/{ref.secret}/versions/{ref.version}"
        with self._lock:
            if not self._access.may("", "secretmanager.versions.access", self._project(ref.project)):
                problem = f"Permission denied on secret: {name} for Revision service account."
                hint = "must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor)"
                words = f"{problem} The service account used {hint} at the secret, project or higher level."
                raise ApiError("PERMISSION_DENIED", words)
            try:
                version = self._version(self._project(ref.project), ref.secret, ref.version)[1]
            except ApiError:
                raise ApiError("NOT_FOUND", f"Secret {name} was not found") from None
            if version.state != "ENABLED":
                raise ApiError("FAILED_PRECONDITION", f"Secret Version [{name}] is in {version.state} state.")
            return version.value

    def wipe(self, project: str) -> None:
        with self._lock:
            self._all = {key: value for key, value in self._all.items() if key[0] != project}

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        found = _PATH.match(request.path)
        if found is None:
            return None
        project, secret, versions, number, verb = found.groups()
        project = self._project(project)
        try:
            with self._lock:
                return answer(self._carry_out(request, project, secret, bool(versions), number, verb or ""))
        except ApiError as error:
            return refusal(error)

    def _carry_out(
        self, request: HttpRequest, project: str, secret: str | None, versions: bool, number: str | None, verb: str
    ) -> dict[str, Any]:
        asked = (request.method, "version" if number else "versions" if versions else "secret" if secret else "", verb)
        table: dict[tuple[str, str, str], tuple[str, Callable[[], dict[str, Any]]]] = {
            ("POST", "", ""): ("secrets.create", lambda: self._create(request, project)),
            ("GET", "", ""): ("secrets.list", lambda: {"secrets": [_secret(*item) for item in self._of(project)]}),
            ("GET", "secret", ""): ("secrets.get", lambda: _secret(*self._secret(project, secret or ""))),
            ("DELETE", "secret", ""): ("secrets.delete", lambda: self._delete(project, secret or "")),
            ("POST", "secret", "addVersion"): ("versions.add", lambda: self._add(request, project, secret or "")),
            ("GET", "versions", ""): ("versions.list", lambda: self._list(project, secret or "")),
            ("GET", "version", ""): ("versions.get", lambda: self._shown(project, secret or "", number or "")),
            ("GET", "version", "access"): ("versions.access", lambda: self._read(project, secret or "", number or "")),
            ("POST", "version", "enable"): ("versions.enable", lambda: self._set(project, secret, number, "ENABLED")),
            ("POST", "version", "disable"): (
                "versions.disable",
                lambda: self._set(project, secret, number, "DISABLED"),
            ),
            ("POST", "version", "destroy"): (
                "versions.destroy",
                lambda: self._set(project, secret, number, "DESTROYED"),
            ),
        }
        if asked not in table:
            raise ApiError("NOT_FOUND", "The requested URL was not found on this server.")
        permission, work = table[asked]
        resource = request.path.removeprefix("/v1/").partition(":")[0]
        self._access.require(request.principal, f"secretmanager.{permission}", project, resource)
        return work()

    def _project(self, text: str) -> str:
        """A project's id, of its id or its number: answers name secrets by the number, and take both."""
        known = {project_number(project): project for project, _ in self._all}
        return known.get(text, text)

    def _of(self, project: str) -> list[tuple[str, str, Secret]]:
        return [(key[0], key[1], value) for key, value in self._all.items() if key[0] == project]

    def _secret(self, project: str, secret: str) -> tuple[str, str, Secret]:
        if (project, secret) not in self._all:
            raise ApiError("NOT_FOUND", f"Secret [projects/{project_number(project)}/secrets/{secret}] not found.")
        return project, secret, self._all[project, secret]

    def _version(self, project: str, secret: str, number: str) -> tuple[int, Version]:
        """`number` is a number or "latest", which is the newest one whatever its state."""
        versions = self._secret(project, secret)[2].versions
        index = len(versions) if number == "latest" else int(number) if number.isdecimal() else 0
        if not 1 <= index <= len(versions):
            where = f"projects/{project_number(project)}/secrets/{secret}/versions/{number}"
            raise ApiError("NOT_FOUND", f"Secret Version [{where}] not found.")
        return index, versions[index - 1]

    def _create(self, request: HttpRequest, project: str) -> dict[str, Any]:
        secret = request.query.get("secretId", "")
        if not _ID.match(secret):
            raise ApiError("INVALID_ARGUMENT", f"The provided Secret ID [{secret}] does not match the expected format.")
        if "replication" not in request.json():
            raise ApiError("INVALID_ARGUMENT", "Secret.replication must be provided.")
        if (project, secret) in self._all:
            where = f"projects/{project_number(project)}/secrets/{secret}"
            raise ApiError("ALREADY_EXISTS", f"Secret [{where}] already exists.")
        self._all[project, secret] = Secret(_now())
        return _secret(project, secret, self._all[project, secret])

    def _delete(self, project: str, secret: str) -> dict[str, Any]:
        self._secret(project, secret)
        del self._all[project, secret]
        return {}

    def _add(self, request: HttpRequest, project: str, secret: str) -> dict[str, Any]:
        payload = request.json().get("payload", {}).get("data", "")
        value = base64.b64decode(payload)
        if len(value) > 65536:  # secret-manager/quotas: 64 KiB
            raise ApiError("INVALID_ARGUMENT", "The payload must be at most 65536 bytes.")
        versions = self._secret(project, secret)[2].versions
        versions.append(Version(value, made=_now()))
        return self._shown(project, secret, str(len(versions)))

    def _list(self, project: str, secret: str) -> dict[str, Any]:
        count = len(self._secret(project, secret)[2].versions)
        return {
            "versions": [self._shown(project, secret, str(number)) for number in range(count, 0, -1)],
            "totalSize": count,
        }

    def _shown(self, project: str, secret: str, number: str) -> dict[str, Any]:
        index, version = self._version(project, secret, number)
        name = f"projects/{project_number(project)}/secrets/{secret}/versions/{index}"
        return {"name": name, "createTime": version.made, "state": version.state, "etag": f'"{index}-{version.state}"'}

    def _read(self, project: str, secret: str, number: str) -> dict[str, Any]:
        index, version = self._version(project, secret, number)
        name = f"projects/{project_number(project)}/secrets/{secret}/versions/{index}"
        if version.state != "ENABLED":
            raise ApiError("FAILED_PRECONDITION", f"Secret Version [{name}] is in {version.state} state.")
        return {"name": name, "payload": {"data": base64.b64encode(version.value).decode()}}

    def _set(self, project: str, secret: str | None, number: str | None, state: str) -> dict[str, Any]:
        _, version = self._version(project, secret or "", number or "")
        if version.state == "DESTROYED":
            raise ApiError("FAILED_PRECONDITION", "The Secret Version is in DESTROYED state.")
        version.state = state
        if state == "DESTROYED":
            version.value = b""
        return self._shown(project, secret or "", number or "")


def _secret(project: str, secret: str, kept: Secret) -> dict[str, Any]:
    name = f"projects/{project_number(project)}/secrets/{secret}"
    return {"name": name, "replication": {"automatic": {}}, "createTime": kept.made, "etag": f'"{kept.made}"'}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
