"""What a release would change: the API server's own dry run of every object, beside what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from shipper.model import Change, Observation, Plan, Release
from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, change_of
from shipper_targets.kubernetes.applying import apply
from shipper_targets.kubernetes.differences import object_changes
from shipper_targets.kubernetes.found import Found, is_route
from shipper_targets.kubernetes.kube_errors import Immutable
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered, renamed
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.observing import weights_of
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.prune import KEEP, is_kept, left, may_go, obsolete
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import Object, mapping, name_of, text
from shipper_targets.kubernetes.writing import Writing, as_selected, carried, is_carrier

TO_BUILD = "to be built"


class Planning:
    """Of one service. Never writes."""

    def __init__(self, writing: Writing, own: KubernetesSettings) -> None:
        self._writing = writing
        self._own = own

    def plan(self, release: Release, observation: Observation) -> Plan:
        """Subjects are `revision`, `image`, `Kind/name path.of.a.field`, and `traffic`."""
        found = self._writing.reading.now()
        whole = self._writing.manifests.of(release, found)
        main = observation.main
        remarks = [*_shape_changes(found), *_left_route(found, whole), *_adopts(found, self._own)]
        changes = [*self._objects(found, whole, remarks), *self._removed(found, whole, remarks)]
        image = _image(observation, release)
        new = revision_name(found.base, release)
        if main is None:
            first = [change_of("revision", "", new), image, *changes]
            return Plan(summary="a first release", changes=tuple(first), remarks=tuple(remarks))
        if not changes and image.action == "keep":
            return Plan(summary="nothing to change", changes=(image,), remarks=tuple(remarks))
        shift = Change(action="shift", subject="traffic", before=main.name, after=new)
        whole_plan = (change_of("revision", "", new), image, *changes, shift)
        return Plan(summary="a new revision", changes=whole_plan, remarks=tuple(remarks))

    def _objects(self, found: Found, whole: Rendered, remarks: list[str]) -> Iterator[Change]:
        before = self._writing.before(found)
        asked = at_once([partial(self._rehearsed, found, one, before) for one in whole.manifests])
        for manifest, (live, wanted, told) in zip(whole.manifests, asked, strict=True):
            if told:
                remarks.append(told)
            else:
                yield from object_changes(manifest.key, live, wanted)

    def _rehearsed(
        self, found: Found, manifest: Manifest, before: Rendered | None
    ) -> tuple[Object | None, dict[str, Any] | None, str]:
        """What is there, what would be, and what the API server has against it. A Deployment that is named after its
        release is compared with the one that serves.
        """
        live = self._live(found, manifest)
        if is_carrier(manifest, found) and live is not None:
            manifest = carried(manifest, live)
            if not self._own.has_own_manifests:  # these say themselves whom they ask
                is_service = manifest.kind == "Service"
                manifest = as_selected(manifest, live, found) if is_service else _as_routed(manifest, live)
        last = before.find(manifest.key) if before is not None else None
        try:
            wanted = apply(
                self._writing.api,
                manifest,
                force=self._own.force_conflicts,
                adopts=self._own.adopt,
                before=last,
                dry_run=True,
            )
        except Immutable as error:
            fields = ", ".join(error.fields)
            return live, None, f"{manifest.key}: {fields} cannot be changed: the release would be refused"
        except (Invalid, Conflict, NotFound, Denied) as error:
            return live, None, f"the cluster would not take {manifest.key}: {error}"
        except PlatformError as error:
            return live, None, f"the cluster could not be asked whether it takes {manifest.key}: {error}"
        serving = self._serving(found)
        if manifest.kind == "Deployment" and live is None and serving is not None:
            return _named_like(serving, wanted), wanted, ""
        return live, wanted, ""

    def _live(self, found: Found, manifest: Manifest) -> Object | None:
        if manifest.kind == "Service" and manifest.name == found.base:
            return found.service
        return self._writing.reading.live(manifest)

    def _serving(self, found: Found) -> Object | None:
        weights = weights_of(found)
        main = max(weights, key=lambda name: weights[name], default="")
        return found.workload(main)

    def _removed(self, found: Found, whole: Rendered, remarks: list[str]) -> Iterator[Change]:
        """What was applied and is not rendered any more."""
        before = self._writing.before(found)
        if before is None:
            return
        for key in obsolete([before], whole):
            manifest = before.find(key)
            # Deployments stay for the way back, and what belongs to one of their own goes when that does.
            if manifest is None or manifest.body.get("immutable") is True or _has_deployment(found, key):
                continue
            try:
                live = self._writing.reading.live(manifest)
            except Invalid:
                continue  # the cluster serves this kind no more: nothing of it is there
            if live is None or not may_go(live, found.base):
                continue
            if is_kept(live):
                remarks.append(f"{key} is not rendered any more, and is left alone: its {KEEP} is keep")
            else:
                yield Change(action="remove", subject=str(key), before="there")
        remarks += [f"{key} is not rendered any more, and is left alone: it has data" for key in left([before], whole)]


def _shape_changes(found: Found) -> Sequence[str]:
    serving = weights_of(found)
    for one in found.deployments:
        if not release_in(one) or not serving.get(found.named_after_release(one)):
            continue
        if found.shape == "rolling" and found.is_per_release(one):
            return [f"changes from one Deployment per release to rolling: Deployment {name_of(one)} serves until then"]
        if found.shape == "weighted" and not found.is_per_release(one):
            return [f"changes from rolling to one Deployment per release: Deployment {name_of(one)} is the way back"]
    return ()


def _left_route(found: Found, whole: Rendered) -> Sequence[str]:
    if found.route is None or found.routes or any(is_route(one, found) for one in whole.manifests):
        return ()
    return [f"HTTPRoute {found.base} is from a Gateway of before: it leads to what serves until it is removed"]


def _adopts(found: Found, own: KubernetesSettings) -> Sequence[str]:
    adopted = found.adopted
    if adopted is None or found.stamp.highest:
        return ()
    return [f"{adopted[0]} was here before shipper: it is #0" + ("" if own.adopt else "; adopt = true takes it over")]


def _image(observation: Observation, release: Release) -> Change:
    main = observation.main
    after = release.main.reference or TO_BUILD
    if main is not None and main.image and main.image == release.main.config_digest:
        return Change(action="keep", subject="image", before=main.image, after=after)
    return change_of("image", main.image if main is not None else "", after)


def _as_routed(manifest: Manifest, live: Object) -> Manifest:
    """A plan compares what a route is, not where its traffic is just now."""
    body = manifest.copied()
    rules = mapping(live, "spec").get("rules") or ()
    for rule, there in zip(body["spec"].get("rules") or (), rules, strict=False):
        if "backendRefs" in there:
            rule["backendRefs"] = there["backendRefs"]
    return Manifest(body)


def _named_like(serving: Object, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """What serves under the name of what would: so that only what it is differs."""
    old, new = name_of(serving), name_of(wanted)
    key = Key("apps", "Deployment", text(serving, "metadata", "namespace"), old)
    return renamed(Rendered((Manifest(serving),), key, ""), old, new).main.body


def _has_deployment(found: Found, key: Key) -> bool:
    named = any(name_of(one) == key.name for one in found.deployments)
    return named and (key.name != found.base or key.kind == "Deployment")
