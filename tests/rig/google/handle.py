"""The rig's hands for tests in any process: each method is a verb of control.py. Standard library only."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPERATOR = "operator@example.com"
"""Who asks the platform's own APIs here, as somebody with the console does."""


class HandError(Exception):
    """The rig refused a verb; the message says why."""


@dataclass(frozen=True)
class GoogleRig:
    """`url` is where the rig answers, such as http://127.0.0.1:8085."""

    url: str

    def answers(self) -> bool:
        """Whether a rig of this kind answers there."""
        try:
            return self.ask("POST", "/rig/status", {}, timeout=5)[0] == 200
        except (OSError, ValueError):
            return False

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of the platform's REST APIs, such as GET /v2/projects/…; asked by OPERATOR, with a token."""
        token = self._do("token", principal=OPERATOR)
        return self.ask(method, path, body, headers={"Authorization": f"Bearer {token}"})

    def ask(
        self,
        method: str,
        target: str,
        body: Mapping[str, Any] | None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> tuple[int, Any]:
        """Status and JSON of one request, asked by nobody in particular unless `headers` say who. Raises OSError."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        content = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        asked = urllib.request.Request(f"{self.url}{target}", content, sent, method=method)
        try:
            with opener.open(asked, timeout=timeout) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def need_tokens(self, project: str, *, needed: bool = True) -> None:
        """Calls about it without a token are 401 from now on, as in the real service; until it is wiped."""
        self._do("tokens", project=project, needed=needed)

    def deny(self, project: str, permission: str) -> None:
        """Every call that takes this permission is 403 from now on."""
        self._do("deny", project=project, permission=permission)

    def allow(self, project: str, permission: str) -> None:
        self._do("allow", project=project, permission=permission)

    def fail(
        self, project: str, method: str, code: str = "UNAVAILABLE", times: int = 1, *, after: bool = False
    ) -> None:
        """The next calls of a method ("*": any, "write": any write) fail, before or after being carried out."""
        self._do("fail", project=project, method=method, code=code, times=times, after=after)

    def slow(self, project: str, method: str, seconds: float) -> None:
        self._do("slow", project=project, method=method, seconds=seconds)

    def edit(self, project: str, at: int = 1, traffic: dict[str, int] | None = None) -> None:
        """Another writer, just before the at-th write (0: every write) is carried out.

        Without `traffic` only the etag changes; with it, traffic goes to these short revision names, {}: to the latest.
        """
        self._do("edit", project=project, at=at, traffic=traffic)

    def hold(self, project: str, at: int = 1, *, after: bool = False) -> None:
        """Hold the at-th write from now: before it is carried out, or after, before it is answered."""
        self._do("hold", project=project, at=at, after=after)

    def held(self, project: str, seconds: float = 30.0) -> dict[str, Any] | None:
        """Wait for the held write; None when none came."""
        found: dict[str, Any] | None = self._do("held", project=project, seconds=seconds, _timeout=seconds + 10)
        return found

    def release(self, project: str, *, carry: bool = True) -> None:
        """Let it go on; without `carry`, a write that was held before is never carried out."""
        self._do("release", project=project, carry=carry)

    def stuck(self, project: str, what: str = "operation") -> None:
        """ "operation": operations never end; "reconcile": nothing settles; "": all go on again."""
        self._do("stuck", project=project, what=what)

    def gpus(self, project: str, instances: int | None) -> None:
        """The GPU quota; None: unlimited."""
        self._do("gpus", project=project, instances=instances)

    def writes(self, project: str) -> list[dict[str, Any]]:
        """Every write, in the order in which they came: number, method, resource, mask, etag, code."""
        found: list[dict[str, Any]] = self._do("writes", project=project)
        return found

    def calls(self, project: str) -> dict[str, int]:
        found: dict[str, int] = self._do("calls", project=project)
        return found

    def wipe(self, project: str) -> None:
        """Services, secrets, containers and hands of a project: gone."""
        self._do("wipe", project=project)

    def logs(self, revision: str, lines: int = 100) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._do("logs", revision=revision, lines=lines)
        return found

    def bucket(self, name: str) -> str:
        """The directory of this machine that is the bucket."""
        found: str = self._do("bucket", bucket=name)
        return found

    def add_secret(self, project: str, secret: str, value: bytes) -> str:
        """A new version, and the secret when there is none; gives the version's number. By Secret Manager's own API."""
        made = self.request(
            "POST", f"/v1/projects/{project}/secrets?secretId={secret}", {"replication": {"automatic": {}}}
        )
        if made[0] not in (200, 409):
            raise HandError(f"secret {secret}: {made}")
        payload = {"payload": {"data": base64.b64encode(value).decode()}}
        status, version = self.request("POST", f"/v1/projects/{project}/secrets/{secret}:addVersion", payload)
        if status != 200:
            raise HandError(f"secret {secret}: {version}")
        return str(version["name"]).rsplit("/", 1)[-1]

    def set_secret(self, project: str, secret: str, version: str, verb: str) -> None:
        """`verb` is enable, disable or destroy."""
        status, reply = self.request("POST", f"/v1/projects/{project}/secrets/{secret}/versions/{version}:{verb}", {})
        if status != 200:
            raise HandError(f"secret {secret}: {reply}")

    def _do(self, verb: str, _timeout: float = 30.0, **values: Any) -> Any:
        status, reply = self.ask("POST", f"/rig/{verb}", values, timeout=_timeout)
        if status != 200:
            raise HandError(f"{verb}: {reply}")
        return reply["result"]
