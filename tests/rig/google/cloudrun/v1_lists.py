"""Lists as Kubernetes makes them (pure): label selectors, limit and continue.

Selectors: `key = value`, `key == value`, `key != value`, `key`, `!key`, joined by commas. Set selectors, field
selectors and watches are refused and not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.v1_annotations import Json


def page(kind: str, items: Sequence[Json], query: Mapping[str, str]) -> Json:
    """The list of `kind` (such as "Service") that a query asks for."""
    for name in ("fieldSelector", "watch"):
        if query.get(name, "false") not in ("", "false"):
            raise ApiError("INVALID_ARGUMENT", f"{name}: not supported")
    chosen = [item for item in items if selected(query.get("labelSelector", ""), item["metadata"]["labels"])]
    first = _number(query, "continue")
    last = first + (_number(query, "limit") or len(chosen))
    metadata = {"continue": str(last)} if last < len(chosen) else {}
    version = "serving.knative.dev/v1"
    return {"apiVersion": version, "kind": f"{kind}List", "metadata": metadata, "items": chosen[first:last]}


def selected(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels meet every requirement of a selector."""
    return all(_meets(part.strip(), labels) for part in selector.split(",") if part.strip())


def _meets(requirement: str, labels: Mapping[str, str]) -> bool:
    if "(" in requirement or " in " in requirement or " notin " in requirement:
        raise ApiError("INVALID_ARGUMENT", f"labelSelector: not supported: '{requirement}'")
    if "!=" in requirement:
        key, _, value = requirement.partition("!=")
        return labels.get(key.strip()) != value.strip()
    if "=" in requirement:
        key, _, value = requirement.partition("=")
        return labels.get(key.strip()) == value.lstrip("=").strip()
    return requirement.removeprefix("!") not in labels if requirement.startswith("!") else requirement in labels


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdigit():
        raise ApiError("INVALID_ARGUMENT", f"{name}: not a number: '{text}'")
    return int(text)
