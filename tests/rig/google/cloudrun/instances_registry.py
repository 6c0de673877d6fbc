"""Asks a registry whether it has an image and gives it to us, by plain HTTP.

The engine's own /distribution hides the answer of a registry on a loopback address: it tries port 80 too, and shows
what that says.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import httpx

_MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)
_TRUSTED = Path("/etc/docker/certs.d")  # the authorities that the engine trusts for a host


def look(
    host: str, repository: str, tag: str, login: Mapping[str, str]
) -> Literal["there", "missing", "denied", "unknown"]:
    """What the registry says of `host/repository` at a tag or digest; "unknown": nothing about the image."""
    trust = ssl.create_default_context()
    for authority in sorted((_TRUSTED / host).glob("*.crt")):
        trust.load_verify_locations(cafile=authority)
    url = f"https://{host}/v2/{repository}/manifests/{tag}"
    auth = (login["username"], login["password"])
    try:
        with httpx.Client(verify=trust, trust_env=False, timeout=10) as client:
            status = client.head(url, auth=auth, headers={"Accept": _MANIFESTS}).status_code
    except httpx.TransportError:
        return "unknown"
    if status == 404:
        return "missing"
    if status == 403:
        return "denied"
    return "there" if status == 200 else "unknown"
