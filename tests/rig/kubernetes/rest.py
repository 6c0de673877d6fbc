"""Kubernetes' API in one method, for what runs before any library is there. Standard library only."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@dataclass
class Rest:
    """One connection, kept open between requests; use it in one thread."""

    server: str
    token: str
    authority: str
    """The certificate of who signs the server's, PEM."""
    timeout: float = 30.0
    _open: http.client.HTTPSConnection | None = None

    @classmethod
    def of(cls, kubeconfig: Path) -> Rest:
        """From a kubeconfig that this rig wrote (JSON, one cluster, a token)."""
        said = json.loads(kubeconfig.read_text())
        cluster = said["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return cls(cluster["server"], said["users"][0]["user"]["token"], authority)

    def request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON. `body`: bytes or text go as they are. Raises OSError when nobody answers."""
        content = body.encode() if isinstance(body, str) else body
        if content is not None and not isinstance(content, bytes):
            content = json.dumps(content).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, "Accept": "application/json"}
        connection = self._connection()
        try:
            connection.request(method, path, content, headers)
            reply = connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise OSError(f"{method} {path}: {error}") from error
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text.decode(errors="replace")

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connection(self) -> http.client.HTTPSConnection:
        if self._open is None:
            context = ssl.create_default_context(cadata=self.authority)
            where = urlsplit(self.server)
            self._open = http.client.HTTPSConnection(
                where.hostname or "", where.port, timeout=self.timeout, context=context
            )
        return self._open
