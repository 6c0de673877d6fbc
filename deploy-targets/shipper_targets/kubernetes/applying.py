"""Server-side apply under our rules: who owns a field that would be taken, and when it may be taken.

Never by force but: over ourselves (an earlier merge patch counts as another manager), where somebody changed what we
had applied (drift, which whoever called has decided to take over), on adoption, and when the target says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import SERVICE
from shipper_targets.kubernetes.kube_errors import Owned, manager_of
from shipper_targets.kubernetes.labels import IDENTITY, MANAGER, owner_of
from shipper_targets.kubernetes.manifest import CHANGE_CAUSE, Manifest
from shipper_targets.kubernetes.services import moves_a_port
from shipper_targets.kubernetes.taking_over import mind_owner
from shipper_targets.kubernetes.values import mapping

COUNT = ".spec.replicas"


class Theirs(Invalid):
    """What would be changed belongs to other field managers."""

    hint = "take it with [targets.<name>] force_conflicts = true, or have its owner leave it alone"


_OURS = {".spec.paused", *(f".metadata.{where}.{key}" for where in ("labels", "annotations") for key in IDENTITY)}
_OURS |= {f".metadata.annotations.{CHANGE_CAUSE}"}
"""Ours whoever owns it, although no manifest has it: what says which release it is (`kubectl rollout undo` writes that,
too), and what is sent only to go on with what somebody has paused.
"""


def apply(
    api: Api,
    manifest: Manifest,
    *,
    force: bool = False,
    before: Manifest | None = None,
    adopts: bool = False,
    version: str = "",
    uid: str = "",
    dry_run: bool = False,
    autoscaled: bool = False,
) -> dict[str, Any]:
    """Apply; `version` and `uid` make it conditional on the object that was read. `before`: what we applied last.
    `adopts`: an object that is not ours yet may be taken over whole. `autoscaled`: its count is never taken.

    Raises Invalid, naming field and owner, where somebody else owns what it would change, or has made what is not ours
    to take; Conflict, Transient.
    """
    if before is None:
        mind_owner(api, manifest, adopts=adopts, marks=not dry_run)
    if not version and (moved := _ports_moved(api, manifest, dry_run=dry_run)) is not None and dry_run:
        return moved
    body = manifest.copied()
    for key, value in (("resourceVersion", version), ("uid", uid)):
        if value:
            body["metadata"][key] = value
    # Of the version that was read it is known whose the count is; else it may be an autoscaler's by now.
    is_known = not autoscaled or bool(version)
    try:
        return api.apply(body, force=force and is_known, dry_run=dry_run)
    except Owned as error:
        theirs = others_fields(error, before)
        if autoscaled and COUNT in error.owners:  # somebody has scaled it since it was read
            del body["spec"]["replicas"]
            theirs.pop(COUNT, None)
        if theirs and not force and not (adopts and is_foreign(api, manifest)):
            raise Theirs(refusal(manifest, theirs)) from error
    return api.apply(body, force=True, dry_run=dry_run)


def _ports_moved(api: Api, manifest: Manifest, *, dry_run: bool) -> dict[str, Any] | None:
    """Ahead of an apply, which tells ports apart by their numbers, and would leave one beside ours that somebody else
    has made. What is there then, or with `dry_run` would be after the apply too; None where no port moves.
    """
    if manifest.kind != "Service":
        return None
    live = api.find(SERVICE, manifest.name, manifest.namespace or None)
    if live is None or not moves_a_port(manifest.body, live):
        return None
    body = manifest.copied()
    return api.merge(
        SERVICE, manifest.name, body if dry_run else {"spec": {"ports": body["spec"]["ports"]}}, dry_run=dry_run
    )


def is_foreign(api: Api, manifest: Manifest) -> bool:
    """Whether the object is nobody's service yet: then it can be adopted."""
    live = api.find(api.kind_of(manifest.api_version, manifest.kind), manifest.name, manifest.namespace or None)
    return live is not None and owner_of(mapping(live, "metadata", "labels")) is None


def others_fields(error: Owned, before: Mapping[str, Any] | Manifest | None) -> dict[str, str]:
    """Field to owner, of those that are neither ours under another name of an operation nor were applied by us."""
    applied = before.body if isinstance(before, Manifest) else before
    theirs = {
        field: ", ".join(owner for owner in owners if manager_of(owner) != MANAGER)
        for field, owners in error.owners.items()
        if field not in _OURS and not (applied is not None and has_field(applied, field))
    }
    return {field: owners for field, owners in theirs.items() if owners}


def refusal(manifest: Manifest, owners: Mapping[str, str]) -> str:
    """For people: what is owned by whom."""
    shown = "; ".join(f"{field.removeprefix('.')} is owned by {owner}" for field, owner in sorted(owners.items()))
    return f"{manifest.key}: {shown}"


def has_field(applied: Any, field: str) -> bool:
    """Whether a manifest says something about a field, as a conflict names it.

    Such as `.spec.template.spec.containers[name="main"].env[name="MODE"].value`.
    """
    value, rest = applied, field
    while rest and value is not None:
        if rest.startswith("["):
            inside, _, rest = rest[1:].partition("]")
            value = _selected(value, inside)
            continue
        rest = rest.removeprefix(".")
        key = _key_of(value, rest)
        value, rest = (value[key], rest[len(key) :]) if key else (None, "")
    return value is not None


def _key_of(value: Any, rest: str) -> str:
    """What comes next of a field's path; "" for what is not there. A key may have dots itself: a label, a resource's
    name, a file's. Of two that fit the longer one is meant.
    """
    keys = [key for key in value if isinstance(key, str)] if isinstance(value, Mapping) else []
    return max((key for key in keys if rest == key or rest.startswith((f"{key}.", f"{key}["))), key=len, default="")


def _selected(value: Any, selector: str) -> Any:
    """The member of a list: `name="main"`, `containerPort=8080,protocol="TCP"`, `="value"` or an index."""
    if not isinstance(value, list | tuple):
        return None
    if selector.isdecimal():
        return value[int(selector)] if int(selector) < len(value) else None
    wanted = {}
    for part in selector.split(","):
        key, _, text = part.partition("=")
        wanted[key] = text.strip('"')
    if "" in wanted:
        return wanted[""] if wanted[""] in value else None
    for one in value:
        # What is left out is the API server's default: it does not tell members apart here.
        if isinstance(one, Mapping) and all(key not in one or str(one[key]) == text for key, text in wanted.items()):
            return one
    return None
