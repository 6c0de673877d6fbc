"""A rehearsal: everything of a release as the API server would take it, with its admission, and kept by nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from shipper.model import Problem
from shipper.targets import Conflict, Denied, Invalid, NotFound
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.applying import apply
from shipper_targets.kubernetes.kinds import POD, SECRET, Kind
from shipper_targets.kubernetes.kube_errors import Immutable
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.packing import pack
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.preflight_parts import leaving_problem
from shipper_targets.kubernetes.records import QUOTA, TYPE, NoRoom, Record
from shipper_targets.kubernetes.refusals import what_to_do
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import is_leaving

NO_DRY_RUN = "does not support dry run"
"""What the API server says of a webhook with side effects: then nobody can rehearse."""


def rehearsal_problems(
    api: Api,
    whole: Rendered,
    own: KubernetesSettings,
    *,
    before: Callable[[Manifest], Manifest | None],
    remark: Callable[[str], None],
) -> Iterator[Problem]:
    """`dryRun=All` with strict field validation. `before`: what was applied last of the same object.

    Raises Transient.
    """
    asked = [partial(_refusal, api, one, own, before(one), remark) for one in whole.manifests]
    yield from (found for found in at_once(asked) if found is not None)


def _refusal(
    api: Api, manifest: Manifest, own: KubernetesSettings, before: Manifest | None, remark: Callable[[str], None]
) -> Problem | None:
    try:
        there = apply(api, manifest, force=own.force_conflicts, adopts=own.adopt, before=before, dry_run=True)
        if is_leaving(there):
            return leaving_problem(str(manifest.key), there)
    except Denied as error:
        return Problem(
            code=32, key="targets.context", message=str(error), hint="see docs/reference/kubernetes-roles.md"
        )
    except Immutable as error:
        message = f"{manifest.key}: {', '.join(error.fields)} cannot be changed: {error}"
        return Problem(code=2, key="targets", message=message, hint=_instead(manifest, error.fields))
    except (Invalid, Conflict, NotFound) as error:
        if NO_DRY_RUN not in str(error):
            key, hint = what_to_do(error, manifest.kind, str(manifest.key), own)
            return Problem(code=2, key=key, message=str(error), hint=hint)
        remark(f"whether the cluster takes {manifest.key} is not known beforehand: {error}")
    return None


def _instead(manifest: Manifest, fields: Sequence[str]) -> str:
    """What to do about an object that cannot be changed. Deleting a Deployment stops its pods."""
    if manifest.kind == "Job":
        return "a Job runs one image: let it be a command of [rollout] before"
    if manifest.kind == "Deployment" and any(field.startswith("spec.selector") for field in fields):
        beside = '[rollout] strategy = "blue-green" and [targets.<name>] adopt = true'
        return f"leave it there and release beside it: {beside}; or another name"
    return "give it another name; or take it out of the set, release, put it in again, and release"


def pod_problems(
    api: Api, whole: Rendered, own: KubernetesSettings, *, remark: Callable[[str], None]
) -> Iterator[Problem]:
    """A pod of the template, as its ReplicaSet would make it: quota, LimitRanges, Pod Security, policies judge pods.

    Nothing where we may not make pods. Raises Transient.
    """
    yield from _of_new(api, POD, pod_of(whole), "its pods", own, remark)


def record_problems(
    api: Api,
    whole: Rendered,
    own: KubernetesSettings,
    *,
    spare: Callable[[], Record | None],
    remark: Callable[[str], None],
) -> Iterator[Problem]:
    """The Secret in which the release is recorded: one that quota refuses is refused in the middle of a release, unless
    there is a record to `spare` in its place; and so is one that does not hold it.
    """
    try:
        pack(whole)
    except Invalid as error:
        yield Problem(code=2, key="targets.manifests", message=str(error), hint="make several services of them")
        return
    metadata = {"generateName": f"shipper-{whole.workload.name}-", "namespace": whole.workload.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": TYPE, "immutable": True}
    for found in _of_new(api, SECRET, body, "the Secret of its record", own, remark):
        if QUOTA not in found.message:
            yield found
        elif (old := spare()) is None:
            yield found.model_copy(update={"hint": NoRoom.hint})
        else:
            remark(
                f"quota leaves no room for another record: that of release {old.number} goes, which need not come back"
            )


def _of_new(
    api: Api,
    kind: Kind,
    body: Mapping[str, Any],
    what: str,
    own: KubernetesSettings,
    remark: Callable[[str], None],
) -> Iterator[Problem]:
    try:
        api.create(kind, body, dry_run=True)
    except Denied:
        return  # permissions are a problem, or a remark, of their own
    except (Invalid, Conflict, NotFound) as error:
        if NO_DRY_RUN in str(error):
            remark(f"whether the cluster takes {what} is not known beforehand: {error}")
            return
        message = f"{what} would be refused: {error}"
        key, hint = what_to_do(error, kind.kind, what, own)
        yield Problem(code=2, key=key, message=message, hint=hint)


def pod_of(whole: Rendered) -> dict[str, Any]:
    """Under another name than any of a ReplicaSet, and with an account that is there before the first release."""
    template = whole.main.copied()["spec"]["template"]
    metadata = {"generateName": f"{whole.workload.name}-preflight-", "namespace": whole.workload.namespace}
    brought = {one.name for one in whole.of_kind("ServiceAccount")}
    spec = template["spec"]
    if spec.get("serviceAccountName") in brought:
        spec = {key: value for key, value in spec.items() if key not in ("serviceAccountName", "serviceAccount")}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**(template.get("metadata") or {}), **metadata},
        "spec": spec,
    }
