"""Asks one of the rig's daemons for a verb. Standard library only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any


class HandError(Exception):
    """The rig refused a verb; the message says why."""


def ask(url: str, verb: str, timeout: float = 30.0, **values: Any) -> Any:
    """The verb's result. Raises HandError, and OSError when nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    sent = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/rig/{verb}", json.dumps(values).encode(), sent, method="POST")
    try:
        with opener.open(request, timeout=timeout) as answer:
            return json.load(answer)["result"]
    except urllib.error.HTTPError as error:
        raise HandError(json.load(error)["error"]) from None
