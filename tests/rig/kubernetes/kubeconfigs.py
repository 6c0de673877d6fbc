"""Kubeconfigs as the rig writes them: JSON, which is YAML; one context named "rig". Standard library only."""

from __future__ import annotations

import base64
import json
from pathlib import Path

CONTEXT = "rig"


def write(file: Path, *, server: str, authority: Path, token: str, namespace: str = "default") -> Path:
    """For who has this token; only this user can read it. The file stands alone: it can be copied anywhere."""
    certificate = base64.b64encode(authority.read_bytes()).decode()
    said = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": {"server": server, "certificate-authority-data": certificate}}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}}],
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(said, indent=1))
    return file
