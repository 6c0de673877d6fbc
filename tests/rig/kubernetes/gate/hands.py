"""The gate's hands for tests in any process: each method is a verb of control.py. Standard library only.

Everything is per namespace, so that tests side by side do not meet; "" is what has no namespace. Only what comes
through the gate is seen: platform controllers and `KubeRig.api()` go past it.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

When = Literal["before", "after"]
How = int | Literal["cut", "cut-after", "slow"]


class HandError(Exception):
    """The gate refused a verb; the message says why."""


@dataclass(frozen=True)
class Write:
    """One write, with RBAC's words for it. `status`: the API server's answer; None when it gave none."""

    number: int
    """Its place among the writes of its namespace, from 1."""
    verb: str
    resource: str
    group: str
    subresource: str
    namespace: str
    name: str
    field_manager: str
    user_agent: str
    status: int | None
    ended: str
    """"" by its answer, "refused" or "cut" by a fault, "gone" with its client, "dropped" by `release`."""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        kind += f"/{self.subresource}" if self.subresource else ""
        return f"{self.number}. {self.verb} {kind} {self.name} -> {self.ended or self.status}"


@dataclass(frozen=True)
class GateHands:
    """`url` is where the gate takes verbs, such as http://127.0.0.1:17003."""

    url: str

    def writes(self, namespace: str) -> list[Write]:
        """Every write that is no dry run, in the order in which they came. Questions (…reviews) are none."""
        return [_write(one) for one in self._do("writes", namespace=namespace)]

    def calls(self, namespace: str) -> dict[str, int]:
        """How often each was asked: "get deployments.apps", "watch pods", "patch services (dry run)"."""
        found: dict[str, int] = self._do("calls", namespace=namespace)
        return found

    def hold(
        self,
        namespace: str,
        at: int = 1,
        when: When = "before",
        *,
        verb: str = "*",
        resource: str = "*",
        name: str = "*",
    ) -> None:
        """The at-th write from now (that matches) waits: before it is passed on, or after it was carried out.

        Until `release`, or until its client is gone: then a write that was held before is never carried out.
        """
        self._put("hold", namespace, {"at": at, "when": when, "verb": verb, "resource": resource, "name": name})

    def held(self, namespace: str, seconds: float = 30.0) -> Write | None:
        """Wait for the held write; None when none came within `seconds`, or before a `release`."""
        found = self._do("held", namespace=namespace, seconds=seconds, _timeout=seconds + 10)
        return None if found is None else _write(found)

    def release(self, namespace: str, *, carry: bool = True) -> None:
        """Let it go on; without `carry` its connection ends, and what was held before is never carried out."""
        self._do("release", namespace=namespace, carry=carry)

    @contextmanager
    def meanwhile(
        self,
        namespace: str,
        action: Callable[[Write], object],
        at: int = 1,
        when: When = "before",
        *,
        verb: str = "*",
        resource: str = "*",
        name: str = "*",
        seconds: float = 60.0,
    ) -> Iterator[None]:
        """`action` at the at-th write from now, which waits for it: another writer, for example.

        Raises what it raised, and HandError when no such write came within `seconds` of the block's end.
        """
        self.hold(namespace, at, when, verb=verb, resource=resource, name=name)
        failed: list[BaseException] = []
        acting = threading.Thread(target=self._act, args=(namespace, action, seconds, failed), daemon=True)
        acting.start()
        try:
            yield
        except BaseException:
            self.release(namespace)
            raise
        acting.join(seconds)
        self.release(namespace)
        if failed:
            raise failed[0]
        if acting.is_alive():
            raise HandError(f"the action did not end within {seconds:.0f} s")

    def fail(
        self,
        namespace: str,
        how: How,
        *,
        verb: str = "*",
        resource: str = "*",
        name: str = "*",
        times: int = 1,
        after: bool = False,
        seconds: float = 5.0,
    ) -> None:
        """The next `times` requests that match go wrong; `verb` may be "write", `resource` "deployments.apps/status".

        `how`: an HTTP status, with the API server's body for it; "cut": the connection ends, nothing was passed on;
        "cut-after": it was carried out, and the connection ends instead of the answer; "slow": passed on after
        `seconds`. With `after` a status is answered although it was carried out.
        """
        how_often = {"how": how, "times": times, "after": after, "seconds": seconds}
        self._put("fail", namespace, {"verb": verb, "resource": resource, "name": name, **how_often})

    def slow(self, namespace: str, seconds: float) -> None:
        """Every request waits so long before it is passed on; 0 ends it."""
        self._do("slow", namespace=namespace, seconds=seconds)

    def expire_watches(self, namespace: str, oldest: int) -> int:
        """Open watches end with a 410 event, and new ones from before resourceVersion `oldest` get one at once.

        How many were open. `KubeRig.watch_gone` knows what to give for `oldest`.
        """
        found: int = self._do("end_watches", namespace=namespace, oldest=oldest)
        return found

    def cut_watches(self, namespace: str) -> int:
        """Open watches end without a word, as when a connection is lost. How many were open."""
        found: int = self._do("end_watches", namespace=namespace, oldest=0)
        return found

    def watches(self, namespace: str) -> int:
        """How many are open."""
        found: int = self._do("watches", namespace=namespace)
        return found

    def forget(self, namespace: str) -> None:
        """Writes, calls and hands of a namespace: gone."""
        self._do("forget", namespace=namespace)

    def answers(self) -> bool:
        """Whether a gate answers there."""
        try:
            return bool(self._do("status", _timeout=5))
        except (OSError, ValueError, HandError):
            return False

    def _act(
        self, namespace: str, action: Callable[[Write], object], seconds: float, failed: list[BaseException]
    ) -> None:
        try:
            write = self.held(namespace, seconds)
            if write is None:
                raise HandError(f"no such write came within {seconds:.0f} s")
            action(write)
        except BaseException as error:  # noqa: BLE001 - raised again where the test sees it
            failed.append(error)
        finally:
            self.release(namespace)

    def _put(self, hand: str, namespace: str, values: dict[str, Any]) -> None:
        self._do(hand, namespace=namespace, **values)

    def _do(self, _hand: str, /, _timeout: float = 30.0, **values: Any) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        asked = urllib.request.Request(f"{self.url}/rig/{_hand}", json.dumps(values).encode(), method="POST")
        try:
            with opener.open(asked, timeout=_timeout) as reply:
                return json.load(reply)["result"]
        except urllib.error.HTTPError as error:
            raise HandError(f"{_hand}: {json.load(error)['error']}") from None


def _write(told: dict[str, Any]) -> Write:
    return Write(**{name: told[name] for name in Write.__dataclass_fields__})
