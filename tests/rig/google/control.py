"""The rig's hands over HTTP: `POST /rig/<verb>` with a JSON object, for tests in other processes (handle.py).

    deny, allow          {"project", "permission"}                       403 for every call that takes it
    fail                 {"project", "method", "code", "times", "after"} the next calls of a method
    slow                 {"project", "method", "seconds"}
    edit                 {"project", "at", "traffic"}                    another writer, just before the at-th write
    hold, held, release  {"project", "at", "after"}, {"project", "seconds"}, {"project", "carry"}
    stuck                {"project", "what"}                             "operation", "reconcile" or ""
    gpus                 {"project", "instances"}                        quota; null: none
    tokens               {"project", "needed"}                           whether calls without a token are 401
    token                {"principal"}                                   an access token of the rig's identity services
    writes, calls        {"project"}
    wipe                 {"project"}                                     everything of a project, hands included
    logs                 {"revision", "lines"}
    bucket               {"bucket"}                                      the directory that holds a bucket's objects
    status               {}

Methods are the API's names (UpdateService), "*" for any, "write" for any write. A verb that is unknown or lacks a value
is 400.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.rig.google.cloudrun.contract import World
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.hands import Hands
from tests.rig.google.cloudrun.state import State
from tests.rig.google.http import HttpAnswer, HttpRequest, answer, refusal
from tests.rig.google.secrets import Secrets

Verb = Callable[[dict[str, Any]], Any]


class Control:
    def __init__(self, hands: Hands, state: State, secrets: Secrets, world: World, token: Callable[[str], str]) -> None:
        self._hands, self._state, self._secrets, self._world = hands, state, secrets, world
        self._verbs: dict[str, Verb] = {
            "deny": lambda q: hands.deny(q["project"], q["permission"]),
            "allow": lambda q: hands.allow(q["project"], q["permission"]),
            "fail": lambda q: hands.fail(
                q["project"],
                q["method"],
                q["code"],
                int(q.get("times", 1)),
                after=bool(q.get("after")),
                message=q.get("message", ""),
            ),
            "slow": lambda q: hands.slow(q["project"], q["method"], float(q["seconds"])),
            "edit": lambda q: hands.edit(q["project"], int(q.get("at", 1)), q.get("traffic")),
            "hold": lambda q: hands.hold(q["project"], int(q.get("at", 1)), after=bool(q.get("after"))),
            "held": self._held,
            "release": lambda q: hands.release(q["project"], carry=bool(q.get("carry", True))),
            "stuck": self._stuck,
            "gpus": lambda q: hands.set_gpu_quota(q["project"], q["instances"]),
            "tokens": lambda q: hands.need_tokens(q["project"], bool(q.get("needed", True))),
            "token": lambda q: token(q["principal"]),
            "writes": lambda q: hands.writes(q["project"]),
            "calls": lambda q: hands.calls(q["project"]),
            "wipe": self._wipe,
            "logs": lambda q: [asdict(line) for line in state.logs(q["revision"], int(q.get("lines", 100)))],
            "bucket": lambda q: world.bucket(q["bucket"]),
            "status": lambda q: {"step": state.step},
        }

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        if not request.path.startswith("/rig/"):
            return None
        try:
            verb = self._verbs.get(request.path.removeprefix("/rig/"))
            if verb is None:
                raise ApiError("INVALID_ARGUMENT", f"{request.path} is no verb: {', '.join(sorted(self._verbs))}")
            return answer({"result": verb(request.json())})
        except KeyError as error:
            return refusal(ApiError("INVALID_ARGUMENT", f"{request.path}: {error} is missing"))
        except ApiError as error:
            return refusal(error)

    def _held(self, asked: dict[str, Any]) -> Any:
        write = self._hands.wait_held(asked["project"], float(asked.get("seconds", 30)))
        return None if write is None else asdict(write)

    def _stuck(self, asked: dict[str, Any]) -> None:
        self._hands.set_stuck(asked["project"], asked["what"])
        self._state.nudge()

    def _wipe(self, asked: dict[str, Any]) -> None:
        self._hands.forget(asked["project"])
        self._state.wipe(asked["project"])
        self._secrets.wipe(asked["project"])
        self._world.requests.wipe(asked["project"])
