"""What a release would change: the API server's own dry run of every object, beside what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from shipper.model import Change, Observation, Plan, Release
from shipper.targets import Conflict, Denied, Invalid, NotFound, PlatformError, as_planned, change_of
from shipper_targets.kubernetes.applying import apply
from shipper_targets.kubernetes.differences import object_changes
from shipper_targets.kubernetes.found import Found, is_route
from shipper_targets.kubernetes.kube_errors import Immutable
from shipper_targets.kubernetes.labels import SECRETS
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered, renamed
from shipper_targets.kubernetes.manifests import has_autoscaler
from shipper_targets.kubernetes.names import revision_name
from shipper_targets.kubernetes.observing import weights_of
from shipper_targets.kubernetes.parallel import at_once
from shipper_targets.kubernetes.plan_parts import (
    SAME,
    TO_BUILD,
    Stood,
    configuration_alone,
    labels_told_once,
    planned_name,
    secret_changes,
    serves_already,
)
from shipper_targets.kubernetes.prune import KEEP, is_kept, left, may_go, obsolete
from shipper_targets.kubernetes.rollouts import release_in
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.taking_over import ADOPT
from shipper_targets.kubernetes.unbuilt import unpushed
from shipper_targets.kubernetes.values import Object, mapping, name_of
from shipper_targets.kubernetes.writing import Writing, as_selected, carried, is_carrier

_GOES = "will be removed"
_GOES_LATER = "will be removed with the last revision that needs it"
_GIVEN = ("clusterIP", "clusterIPs", "healthCheckNodePort")
"""Of a Service: what the cluster gives to each anew."""


class Planning:
    """Of one service. Never writes."""

    def __init__(self, writing: Writing, own: KubernetesSettings) -> None:
        self._writing = writing
        self._own = own

    def plan(self, release: Release, observation: Observation) -> Plan:
        """Subjects are `revision`, `image`, `Kind/name path.of.a.field`, `labels of …`, and `traffic`.

        Where no image is known, the dry runs are asked with that of what serves, else with one by a digest that is
        none: neither is told.
        """
        found = self._writing.reading.now()
        main, then = observation.main, self._then(observation, found)
        image = _image(observation, then, release)
        if serves_already(release, observation):
            return Plan(summary=SAME, changes=(image,), remarks=tuple(_shape_changes(found)))
        stood = Stood.of(revision_name(found.base, release), found.base, unpushed(release.settings))
        whole = self._writing.manifests.of(as_planned(release, _reference(then) or unpushed(release.settings)), found)
        remarks = [*_shape_changes(found), *_left_route(found, whole), *_adopts(found, self._own)]
        changes = [*self._objects(found, whole, stood, remarks), *self._removed(found, whole, remarks)]
        changes = [*_with_secrets(labels_told_once(changes), list(secret_changes(then, release)))]
        new = change_of("revision", "", planned_name(found.base))
        if main is None:
            return Plan(summary="a first release", changes=(new, image, *changes), remarks=tuple(remarks))
        if not changes and image.action == "keep":
            changes = list(configuration_alone(then, release))
        shift = Change(action="shift", subject="traffic", before=main.name, after=planned_name(found.base))
        return Plan(summary="a new revision", changes=(new, image, *changes, shift), remarks=tuple(remarks))

    def _then(self, observation: Observation, found: Found) -> Release | None:
        """What serves, as it was recorded."""
        main = observation.main
        record = found.record(main.release or "") if main is not None else None
        return self._writing.reading.records.release(record) if record is not None else None

    def _objects(self, found: Found, whole: Rendered, stood: Stood, remarks: list[str]) -> Iterator[Change]:
        before, likes = self._writing.before(found), self._likes(found, whole)
        asked = at_once([partial(self._rehearsed, found, one, before) for one in whole.manifests])
        for manifest, (live, wanted, told) in zip(whole.manifests, asked, strict=True):
            if told:
                remarks.append(stood.text(told))
                continue
            key = replace(manifest.key, name=stood.value(manifest.name))
            like = likes.get(manifest.key) if live is None else None
            other = self._writing.reading.live(like) if like is not None else None
            if like is not None and other is not None and wanted is not None:
                named = _called(other, like.key, whole.workload.name)
                was, will_be = (_comparable(one, manifest, whole, found) for one in (named, wanted))
                yield from object_changes(key, stood.value(was), stood.value(will_be))
            else:
                yield from object_changes(key, stood.value(live), stood.value(wanted))

    def _likes(self, found: Found, whole: Rendered) -> Mapping[Key, Manifest]:
        """What is named after this release, and the same of the one that serves, under its name."""
        weights = weights_of(found)
        main = max(weights, key=lambda name: weights[name], default="")
        serving = found.workload(main)
        if serving is None:
            return {}
        theirs = renamed(whole, whole.workload.name, name_of(serving)).manifests
        pairs = [(one.key, like) for one, like in zip(whole.manifests, theirs, strict=True) if one.key != like.key]
        if found.shape == "rolling":  # of a Deployment with another name, which is taken over
            pairs = [(key, like) for key, like in pairs if key == whole.workload]
        return {key: like for key, like in pairs if like.key not in whole.keys}

    def _rehearsed(
        self, found: Found, manifest: Manifest, before: Rendered | None
    ) -> tuple[Object | None, Mapping[str, Any] | None, str]:
        """What is there, what would be, and what the API server has against it."""
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
            told = f"{error} ({error.hint})" if error.hint else str(error)
            return live, None, f"the cluster would not take {manifest.key}: {told}"
        except PlatformError as error:
            return live, None, f"the cluster could not be asked whether it takes {manifest.key}: {error}"
        return live, wanted, ""

    def _live(self, found: Found, manifest: Manifest) -> Object | None:
        if manifest.kind == "Service" and manifest.name == found.base:
            return found.service
        return self._writing.reading.live(manifest)

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
                yield Change(
                    action="remove", subject=str(key), after=_GOES if found.shape == "rolling" else _GOES_LATER
                )
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
    told = f"{adopted[0]} was here before shipper: it is #0" + ("" if own.adopt else f"; {ADOPT}")
    return [told, *_lost_ports(found, own)]


def _lost_ports(found: Found, own: KubernetesSettings) -> Iterator[str]:
    """Of a Service that is taken over: who asks it by one of them is refused from the release on."""
    ports = [one.get("port") for one in found.adopted_ports]
    lost = [str(port) for port in ports if port != own.service_port]
    if lost and not own.has_own_manifests:
        keeps = f": service_port = {lost[0]} keeps that" if len(ports) == 1 else ""
        yield f"Service {found.base} loses port {', '.join(lost)}, and has {own.service_port} alone{keeps}"


def _image(observation: Observation, then: Release | None, release: Release) -> Change:
    main = observation.main
    was = _reference(then) or (main.image if main is not None else "")
    after = release.main.reference or TO_BUILD
    if main is not None and main.image and main.image == release.main.config_digest:
        return Change(action="keep", subject="image", before=was, after=after)
    return change_of("image", was, after)


def _as_routed(manifest: Manifest, live: Object) -> Manifest:
    """A plan compares what a route is, not where its traffic is just now."""
    body = manifest.copied()
    rules = mapping(live, "spec").get("rules") or ()
    for rule, there in zip(body["spec"].get("rules") or (), rules, strict=False):
        if "backendRefs" in there:
            rule["backendRefs"] = there["backendRefs"]
    return Manifest(body)


def _reference(then: Release | None) -> str:
    image = then.images.get("main") if then is not None else None
    return image.reference if image is not None else ""


def _with_secrets(changes: Iterable[Change], secrets: Sequence[Change]) -> Iterator[Change]:
    """Each Secret by its name, instead of the hash over all of them in the pods' template."""
    yield from (one for one in changes if not (secrets and one.subject.endswith(f".annotations.{SECRETS}")))
    yield from secrets


def _called(live: Object, key: Key, name: str) -> Object:
    """What serves under the name of what would: so that only what it is differs."""
    workload = Key("apps", "Deployment", key.namespace, key.name)
    return renamed(Rendered((Manifest(live),), workload, ""), key.name, name).manifests[0].body


def _comparable(body: Mapping[str, Any], manifest: Manifest, whole: Rendered, found: Found) -> Mapping[str, Any]:
    """Without what another object of the same would have otherwise all the same."""
    spec = {key: value for key, value in mapping(body, "spec").items() if key not in _GIVEN}
    if has_autoscaler(manifest, whole, found):
        spec.pop("replicas", None)
    return {**body, "spec": spec} if "spec" in body else body


def _has_deployment(found: Found, key: Key) -> bool:
    """Whether it is a release's own Deployment, or is named after one."""
    named = any(name_of(one) == key.name for one in found.deployments if release_in(one))
    return named and (key.name != found.base or key.kind == "Deployment")
