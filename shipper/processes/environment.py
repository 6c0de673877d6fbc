"""What a child process gets of our environment: an allow-list, so that no secret travels along by accident."""

from __future__ import annotations

import os
from collections.abc import Mapping

_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "SSH_AUTH_SOCK",
        "REQUESTS_CA_BUNDLE",
        # Which engine, and how to reach it. Not DOCKER_AUTH_CONFIG: credentials belong into the configuration file.
        "DOCKER_HOST",
        "DOCKER_CONFIG",
        "DOCKER_CONTEXT",
        "DOCKER_CERT_PATH",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_API_VERSION",
    }
)
_PREFIXES = ("LC_", "XDG_", "SSL_CERT_", "BUILDX_")
_CREDENTIALS = ("CLOUDSDK_", "GOOGLE_")
_SUFFIXES = ("_PROXY", "_proxy")


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of our own environment that are on the allow-list, then `extra` on top of them."""
    allowed = {name: value for name, value in os.environ.items() if is_allowed(name)}
    return {**allowed, **(extra or {})}


def helper_environment() -> dict[str, str]:
    """What a credential helper gets besides: where Google's tools have their credentials (never on the allow-list)."""
    return {name: value for name, value in os.environ.items() if name.startswith(_CREDENTIALS)}


def is_allowed(name: str) -> bool:
    """Whether a child may see this variable of ours."""
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)
