"""Whether the claims that pods mount have a volume, or get one as soon as a pod asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import CLAIM, STORAGE_CLASS
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.referenced import Find, references_in
from shipper_targets.kubernetes.values import Object, mapping, name_of, text

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def remark_on_claims(api: Api, whole: Rendered, remark: Callable[[str], None], *, find: Find | None = None) -> None:
    """A claim that is Pending and not for want of a pod: none is scheduled until it has its volume. Not wrong for sure,
    as somebody may just be making that. What may not be read is not spoken of. `find`: one that knows what was read a
    moment ago. Raises Transient.
    """
    find = find or api.find
    brought = {one.name for one in whole.manifests if one.kind == CLAIM.kind}
    needed = references_in(mapping(whole.main.body, "spec", "template", "spec"))
    wanted = {one.name for one in needed if one.kind == CLAIM.kind}
    for name in sorted(wanted - brought):
        try:
            there = find(CLAIM, name)
            told = why_unbound(there, lambda: api.list(STORAGE_CLASS).items) if there is not None else ""
        except Denied:
            continue
        if told:
            remark(f"claim {name} is {told}: pods wait for it, and the release fails unless it is bound by then")


def why_unbound(claim: Object, classes: Callable[[], Sequence[Object]]) -> str:
    """What keeps it without a volume; "" where it has one, or gets it with its first pod. Asks for the cluster's
    `classes` only where they matter.
    """
    phase = text(claim, "status", "phase")
    if phase == "Lost":
        return "Lost, its volume is gone"
    if phase != "Pending":
        return ""
    since = f"Pending since {text(claim, 'metadata', 'creationTimestamp') or 'it was made'}"
    named = mapping(claim, "spec").get("storageClassName")
    if named == "":
        return f"{since}, without a storage class: somebody has to make a volume for it"
    known = {name_of(one): one for one in classes()}
    wanted = known.get(named) if named else next((one for one in known.values() if _is_default(one)), None)
    if wanted is None:
        lacking = f"there is no StorageClass {named}" if named else "it names no storage class, and none is the default"
        return f"{since}, {lacking}"
    if text(wanted, "volumeBindingMode") == "WaitForFirstConsumer":
        return ""
    return f"{since}, and storage class {name_of(wanted)} has made no volume for it yet (kubectl describe pvc)"


def _is_default(one: Object) -> bool:
    return text(one, "metadata", "annotations", _DEFAULT) == "true"
