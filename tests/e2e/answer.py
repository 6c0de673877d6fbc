"""What a deployed service answers over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `revision` is the one that says it gave it."""

    status: int
    revision: str | None
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def asked(url: str, *, host: str | None = None, body: bytes | None = None, timeout: float = 15.0) -> Answer:
    """GET, or POST with a body, past every proxy; `host` is asked for in the name of the address.

    `timeout` is in seconds. An error status is an answer; raises OSError when there is none.
    """
    request = urllib.request.Request(url, data=body, headers={"Host": host} if host else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers.get("X-Shipper-Revision"), answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers.get("X-Shipper-Revision"), error.read().decode())
