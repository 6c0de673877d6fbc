"""Artifact Registry's control plane at the endpoint of the other APIs: asked of the process that has it.

Whoever asks without a token, as an emulator's clients do, is asked for as the platform's own agent.
"""

from __future__ import annotations

import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.rig.google.http import HttpAnswer, HttpRequest

HOST = "artifactregistry.googleapis.com"
_PATH = re.compile(r"/v1/projects/[^/]+/locations/[^/]+/(repositories|operations)\b")


class Relay:
    """Answers paths of Artifact Registry; `token` gives the agent's access token."""

    def __init__(self, certificate: Path, token: Callable[[], str]) -> None:
        self._certificate = certificate
        self._token = token

    def answer(self, request: HttpRequest) -> HttpAnswer | None:
        if not _PATH.match(request.path) or not self._certificate.exists():
            return None
        who = request.headers.get("authorization") or f"Bearer {self._token()}"
        headers = {"Authorization": who, "Content-Type": request.headers.get("content-type", "application/json")}
        asked = urllib.request.Request(
            f"https://{HOST}{request.target}", request.body or None, headers, method=request.method
        )
        trust = ssl.create_default_context(cafile=str(self._certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with opener.open(asked, timeout=20) as found:
                return HttpAnswer(found.status, found.read(), {"Content-Type": "application/json"})
        except urllib.error.HTTPError as error:
            return HttpAnswer(error.code, error.read(), {"Content-Type": "application/json"})
