"""How the API shows things: names, times, pages, operations."""

from __future__ import annotations

import time
from typing import Any

from tests.rig.google.artifacts.store import Operation
from tests.rig.google.http import HttpRequest


def registry_uri(name: str) -> str:
    """`us-central1-docker.pkg.dev/project/repository` of a repository's name."""
    _, project, _, location, _, repository = name.split("/")
    return f"{location}-docker.pkg.dev/{project.replace(':', '/')}/{repository}"


def timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"


def paged(request: HttpRequest, key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """One page: `pageSize` (100 when absent, at most 1000), `pageToken` is where it begins."""
    first = int(request.query.get("pageToken") or 0)
    size = min(int(request.query.get("pageSize") or 0) or 100, 1000)
    page: dict[str, Any] = {key: items[first : first + size]}
    return {**page, "nextPageToken": str(first + size)} if len(items) > first + size else page


def shown_operation(operation: Operation) -> dict[str, Any]:
    """google.longrunning.Operation."""
    shown: dict[str, Any] = {"name": operation.name, "metadata": operation.metadata}
    if time.time() >= operation.ready:
        shown |= {"done": True, "response": operation.result}
    return shown
