"""Whether what a release refers to is there: Secrets, ConfigMaps, claims, ServiceAccounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shipper.model import Problem
from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import CLAIM, CONFIG_MAP, SECRET, SERVICE_ACCOUNT, Kind
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.values import Object, mapping, objects, text


@dataclass(frozen=True, order=True)
class Reference:
    """An object of the namespace that a pod needs; `key`: a member that it must have. `setting`: who asked for it."""

    kind: str
    name: str
    key: str = ""
    setting: str = "targets"


Find = Callable[[Kind, str], Object | None]
"""An object of the namespace by its name; None where there is none."""

_OWN = "targets.manifests"

_KINDS: Mapping[str, Kind] = {
    "Secret": SECRET, "ConfigMap": CONFIG_MAP, "PersistentVolumeClaim": CLAIM, "ServiceAccount": SERVICE_ACCOUNT,
}  # fmt: skip


def references_in(spec: Object) -> set[Reference]:
    """What a pod with this spec cannot start without. Optional ones are left out. Pure."""
    found = {
        Reference("Secret", text(one, "name"), setting="targets.image_pull_secrets")
        for one in objects(spec, "imagePullSecrets")
    }
    for volume in objects(spec, "volumes"):
        found |= set(_of_volume(volume))
        for source in objects(volume, "projected", "sources"):
            found |= set(_of_volume(source))
    for container in (*objects(spec, "initContainers"), *objects(spec, "containers")):
        for one in objects(container, "envFrom"):
            found |= set(_of_environment(one, "secretRef", "configMapRef"))
        for one in objects(container, "env"):
            found |= set(_of_environment(mapping(one, "valueFrom"), "secretKeyRef", "configMapKeyRef"))
    if account := text(spec, "serviceAccountName"):
        found.add(Reference("ServiceAccount", account, setting="targets.service_account"))
    return {one for one in found if one.name}


def reference_problems(
    api: Api,
    whole: Rendered,
    *,
    own: bool = False,
    remark: Callable[[str], None] = lambda _: None,
    find: Find | None = None,
) -> Iterator[Problem]:
    """One for each that is missing and that the release does not bring itself; with `own` manifests, where some of
    another kind than Kubernetes' may make it, a remark. `find`: one that knows what was read a moment ago. Raises
    Transient.
    """
    for found_name, found in _missing(find or api.find, api.namespace, whole):
        maker = _maker(whole, found_name) if own else None
        if maker is not None:
            remark(f"{found.message}; {maker.key} may make it")
        else:
            yield found.model_copy(update={"key": _OWN}) if own else found


def made_by_others(whole: Rendered) -> frozenset[str]:
    """Names of what a pod of own manifests needs, and an operator makes of another of them: perhaps later. Pure."""
    spec = mapping(whole.main.body, "spec", "template", "spec")
    brought = {(one.kind, one.name) for one in whole.manifests}
    needed = {one.name for one in references_in(spec) if (one.kind, one.name) not in brought}
    return frozenset(name for name in needed if _maker(whole, name) is not None)


def _maker(whole: Rendered, name: str) -> Manifest | None:
    return next((one for one in whole.manifests if _may_make(one, name)), None)


def _is_built_in(one: Manifest) -> bool:
    """Whether it is of a kind of Kubernetes itself: these make no Secret."""
    group = one.key.group
    return "." not in group or group.endswith(".k8s.io")


def _may_make(one: Manifest, name: str) -> bool:
    """Whether it is of a kind that is none of Kubernetes' own, and speaks of this name: as an ExternalSecret does in
    its own name or its target's, a Certificate in its secretName.
    """
    return not _is_built_in(one) and (one.name == name or name in _texts(one.body.get("spec")))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value


def _missing(find: Find, namespace: str, whole: Rendered) -> Iterator[tuple[str, Problem]]:
    """With the name of what is missing, or lacks a member."""
    brought = {(one.kind, one.name) for one in whole.manifests}
    for one in sorted(references_in(mapping(whole.main.body, "spec", "template", "spec"))):
        if (one.kind, one.name) in brought:
            continue
        try:
            there = find(_KINDS[one.kind], one.name)
        except Denied:
            continue  # permissions are a problem, or a remark, of their own
        if there is None:
            message = f"there is no {one.kind} {one.name} in namespace {namespace}"
            yield one.name, Problem(code=2, key=one.setting, message=message, hint="create it, or correct the name")
        elif one.key and one.key not in {*mapping(there, "data"), *mapping(there, "binaryData")}:
            message = f"{one.kind} {one.name} has no {one.key}"
            yield one.name, Problem(code=2, key=one.setting, message=message, hint="add it, or correct the name")


def _of_volume(volume: Object) -> Iterator[Reference]:
    for member, naming, kind, setting in (
        ("secret", "secretName", "Secret", "run.secrets"),
        ("secret", "name", "Secret", "run.secrets"),
        ("configMap", "name", "ConfigMap", "run.volumes"),
        ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim", "run.volumes"),
    ):
        source = mapping(volume, member)
        name = text(source, naming)
        if not name or source.get("optional") is True:
            continue
        yield Reference(kind, name, setting=setting)
        for item in objects(source, "items"):
            yield Reference(kind, name, text(item, "key"), setting)


def _of_environment(source: Object, secret: str, config_map: str) -> Iterator[Reference]:
    for member, kind, setting in ((secret, "Secret", "run.secrets"), (config_map, "ConfigMap", "run.env")):
        found = mapping(source, member)
        if text(found, "name") and found.get("optional") is not True:
            yield Reference(kind, text(found, "name"), text(found, "key"), setting)
