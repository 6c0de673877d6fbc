"""Names in own manifests, as Kubernetes takes them: they become parts of paths and of messages. Pure.

Source: k8s.io/apimachinery, api/validation/path and util/validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[!-$&-.0-~]{1,253}")
"""What RBAC takes, such as "system:reader": anything that is a part of a path by itself."""

_KIND = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_BY_SEGMENT = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "IPAddress", "ClusterTrustBundle")
_MOST_SHOWN = 80


def misnamed(value: Mapping[str, Any]) -> tuple[tuple[str, ...], str] | None:
    """Which member of an object with apiVersion, kind and metadata.name is no name, and what is expected there."""
    for member, pattern, wanted in (
        ("apiVersion", _API_VERSION, 'a version such as "apps/v1"'),
        ("kind", _KIND, 'a kind such as "Deployment"'),
    ):
        if not pattern.fullmatch(value[member]):
            return (member,), f"{wanted}, not {_shown(value[member])}"
    name = value["metadata"]["name"]
    is_segment = value["kind"] in _BY_SEGMENT
    if not (_SEGMENT if is_segment else _SUBDOMAIN).fullmatch(name):
        wanted = 'a name without "/" and "%"' if is_segment else 'lower-case letters, digits, "-" and "." (at most 253)'
        return ("metadata", "name"), f"{wanted}, not {_shown(name)}"
    return None


def _shown(text: str) -> str:
    """Nothing in it that a terminal would not print."""
    shown = json.dumps(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
