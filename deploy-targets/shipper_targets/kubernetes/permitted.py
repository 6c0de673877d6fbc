"""Whether a rollback may do what it has to, asked before its first write: a way back has no preflight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shipper.model import Release
from shipper.model.context import Reporter
from shipper.targets import Denied, Transient
from shipper_targets.kubernetes.access import Access
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.permissions import Need, Uses, need, needs, required
from shipper_targets.kubernetes.preflight_parts import forbidden
from shipper_targets.kubernetes.prune import obsolete
from shipper_targets.kubernetes.writing import Writing, is_around


def refuse_unpermitted(writing: Writing, release: Release, found: Found, report: Reporter | None) -> None:
    """Raises Denied for what it cannot be gone back without. What may not be deleted stays, and is told; what only
    explains is not asked for.
    """
    if found.record(release.id) is not None:
        return  # it is put back as it was here: nobody may keep it from that
    whole = writing.manifests.recorded(release, found) or writing.manifests.rendered(release, found)
    last = writing.before(found) if found.shape == "rolling" else None
    try:
        stays = [one for one in whole.manifests if is_around(one, found) and _is_there(last, one)]
        written = {*_kinds(writing.api, (one for one in whole.manifests if one not in stays))}
        uses = Uses.of(release.settings, writing.own, written)
        uses = replace(uses, gateway=uses.gateway or found.route is not None)
        reads = [need(kind, ("get",)) for kind in {*_kinds(writing.api, stays)} - written]
        goes = _deletions(writing.api, _gone(last, whole)) if last is not None else ()
        missing = Access(writing.api).missing([*_unavoidable(needs("rollback", uses)), *reads, *goes])
    except (Denied, Transient):  # who may not ask either: then the writes say what they may
        return
    told = {one: forbidden(one, writing.own.namespace).message for one in missing}
    if refused := [text for one, text in told.items() if not one.why]:
        raise Denied("; ".join(refused))
    if report is not None:
        for one, text in told.items():
            report.remark(f"{one.why}: {text}")


def _unavoidable(wanted: Iterable[Need]) -> Iterator[Need]:
    for one in required(wanted):
        verbs = tuple(verb for verb in one.verbs if verb != "delete")
        if verbs and not one.resource.endswith("/log"):
            yield replace(one, verbs=verbs)


def _is_there(last: Rendered | None, manifest: Manifest) -> bool:
    """Whether it is as it was applied last: then it is written only where somebody has changed it since."""
    before = last.find(manifest.key) if last is not None else None
    return before is not None and before.body == manifest.body


def _kinds(api: Api, manifests: Iterable[Manifest]) -> Iterator[Kind]:
    """Those that the cluster knows: an apply of another one says so itself."""
    for one in manifests:
        if (kind := api.find_kind(one.api_version, one.kind)) is not None:
            yield kind


def _gone(last: Rendered, whole: Rendered) -> Iterator[Manifest]:
    """What was applied last and goes with this release. What never changes stays with its record."""
    for key in obsolete([last], whole):
        manifest = last.find(key)
        if manifest is not None and manifest.body.get("immutable") is not True:
            yield manifest


def _deletions(api: Api, gone: Iterable[Manifest]) -> Iterator[Need]:
    names: dict[Kind, list[str]] = {}
    for one in gone:
        for kind in _kinds(api, [one]):
            names.setdefault(kind, []).append(str(one.key))
    for kind, keys in names.items():
        verb = "stays" if len(keys) == 1 else "stay"
        yield need(kind, ("delete",), why=f"{' and '.join(keys)} {verb}")
