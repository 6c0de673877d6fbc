"""The project's own manifests as a release: images pinned, our labels added, all else as it was. Pure.

Raises ConfigError (2) with file and line of every problem at once.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shipper.errors import ConfigError
from shipper.model import Release, Settings
from shipper_targets.kubernetes.config_hashes import with_config_hash
from shipper_targets.kubernetes.labels import labels_of, marks_of
from shipper_targets.kubernetes.manifest import Key, Manifest, Rendered, rendered
from shipper_targets.kubernetes.names import base_of
from shipper_targets.kubernetes.own_problems import ManyProblems, mend, printable
from shipper_targets.kubernetes.own_shapes import misshapen
from shipper_targets.kubernetes.pinning import holds, images_in, pin
from shipper_targets.kubernetes.scopes import CLUSTER_SCOPED, is_cluster_scoped
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import at
from shipper_targets.kubernetes.yaml_files import Document

_HOOK = "helm.sh/hook"


def render_own(objects: Sequence[Document], release: Release, own: KubernetesSettings) -> Rendered:
    """As they are to be applied, in the order in which they were written.

    An image reference that is not known yet (a plan before the build) leaves images as they are.
    """
    checked(objects, own)
    workload = workload_of(objects, release.settings, own)
    bodies = [copy.deepcopy(one.value) for one in objects]
    for body in bodies:
        _finish(body, release, own)
    with_config_hash(bodies)
    found = next(body for one, body in zip(objects, bodies, strict=True) if one is workload)
    return rendered(_in_order(bodies), _key(found))


def checked(objects: Sequence[Document], own: KubernetesSettings) -> None:
    """Everything but the workload. Raises ConfigError."""
    problems = [*_scope_problems(objects, own), *_twice(objects, own), *_hooks(objects), *_misshapen(objects)]
    if problems:
        lines = [printable(line) for line in problems]
        raise ManyProblems("these manifests cannot be applied", hint=mend(own), details=lines)


def workload_of(objects: Sequence[Document], settings: Settings, own: KubernetesSettings) -> Document:
    """The Deployment that runs the service's image. Raises ConfigError when there is none, or more than one."""
    repository = settings.image.repository or ""
    with_image = [one for one in objects if repository and holds(one.value, repository)]
    if not with_image:
        raise ConfigError(
            f'no manifest has the image "{repository}"',
            hint="let [image] repository and the manifests name the same one; any tag will do, it is replaced",
            details=list(_images(objects)),
        )
    deployments = [one for one in with_image if _is_deployment(one.value)]
    if own.manifests_workload is not None:
        return _named(own.manifests_workload, deployments)
    if not deployments:
        kinds = ", ".join(_where(one) for one in with_image)
        raise ConfigError(
            f"no Deployment runs {repository}",
            hint="a Deployment has to: only its rollout is followed",
            details=[kinds],
        )
    if len(deployments) > 1:
        raise ConfigError(
            f"{len(deployments)} Deployments run {repository}",
            hint="say which one serves: manifests_workload = NAME",
            details=[_where(one) for one in deployments],
        )
    return deployments[0]


def _named(wanted: str, deployments: Sequence[Document]) -> Document:
    kind, _, name = wanted.rpartition("/")
    found = [one for one in deployments if one.value["metadata"]["name"] == name]
    if kind not in ("", "Deployment") or not found:
        raise ConfigError(
            f'manifests_workload "{wanted}" is no Deployment with the service\'s image',
            hint="name one of the Deployments that run it",
            details=[_where(one) for one in deployments],
        )
    return found[0]


def _finish(body: dict[str, Any], release: Release, own: KubernetesSettings) -> None:
    settings = release.settings
    if settings.image.repository is not None and release.main.reference:
        pin(body, settings.image.repository, release.main.reference)
    metadata = body["metadata"]
    base = base_of(settings, own.name)
    labels = metadata.get("labels") or {}
    metadata["labels"] = {**labels_of(settings, base), **own.labels, **labels, **marks_of(settings, base)}
    if not is_cluster_scoped(body["apiVersion"], body["kind"]):
        metadata["namespace"] = own.namespace
    body.pop("status", None)
    if body["kind"] == "Secret":
        _encode(body)
    if body["kind"] == "Deployment":
        _leave_out_nulls(body, ("spec",), ("replicas",))
        _leave_out_nulls(body, ("spec", "strategy", "rollingUpdate"), ("maxSurge", "maxUnavailable"))
    if metadata.get("creationTimestamp", "") is None:  # what generators leave behind
        del metadata["creationTimestamp"]


def _encode(secret: dict[str, Any]) -> None:
    """`stringData` as the API server keeps it, in `data`: only so can what is there be compared with what was sent."""
    plain = secret.get("stringData")
    if isinstance(plain, Mapping) and all(isinstance(text, str) for text in plain.values()):
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}
        del secret["stringData"]


def _leave_out_nulls(body: dict[str, Any], path: Sequence[str], members: Sequence[str]) -> None:
    """A null is the API server's default, as what is missing is: templates write some."""
    inside = at(body, *path)
    for member in members:
        if isinstance(inside, dict) and inside.get(member, "") is None:
            del inside[member]


def _scope_problems(objects: Sequence[Document], own: KubernetesSettings) -> Iterator[str]:
    for one in objects:
        metadata = one.value["metadata"]
        if is_cluster_scoped(one.value["apiVersion"], one.value["kind"]):
            if not own.manifests_cluster_scoped:
                yield f"{_where(one)}: {CLUSTER_SCOPED}"
        elif metadata.get("namespace") not in (None, "", own.namespace):
            line = one.line_at(("metadata", "namespace"))
            found = metadata["namespace"]
            yield f'{_where(one, line)}: is for namespace "{found}", and this target is "{own.namespace}"'


def _twice(objects: Sequence[Document], own: KubernetesSettings) -> Iterator[str]:
    seen: dict[Key, Document] = {}
    for one in objects:
        key = _key({**one.value, "metadata": {**one.value["metadata"], "namespace": own.namespace}})
        if key in seen:
            yield f"{_where(one)}: stands twice, first in {seen[key].origin}, line {seen[key].line}"
        seen.setdefault(key, one)


def _hooks(objects: Sequence[Document]) -> Iterator[str]:
    for one in objects:
        if _HOOK in (one.value["metadata"].get("annotations") or {}):
            yield f"{_where(one)}: is a hook of Helm's, which only Helm runs; render without: --no-hooks"


def _misshapen(objects: Sequence[Document]) -> Iterator[str]:
    for one in objects:
        for path, wanted in dict.fromkeys(misshapen(one.value)):
            yield f"{_where(one, one.line_at(path))}: {'.'.join(map(str, path))}: expected {wanted}"


def _images(objects: Sequence[Document]) -> Iterator[str]:
    for one in objects:
        for found in images_in(one.value):
            yield f"{one.origin}, line {one.line_at(found.path)}: {found.image}"


def _in_order(bodies: Sequence[Mapping[str, Any]]) -> Iterator[Manifest]:
    """What others need first, else as written: pods whose ConfigMap is not there yet would have to wait for it."""
    yield from (Manifest(body) for body in sorted(bodies, key=lambda body: _rank(str(body["kind"]))))


_FIRST = ("CustomResourceDefinition", "Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding",
          "ServiceAccount", "Role", "RoleBinding", "Secret", "ConfigMap", "PersistentVolumeClaim")  # fmt: skip


def is_needed_first(manifest: Manifest) -> bool:
    """Whether others, pods above all, need it to be there before them."""
    return manifest.kind in _FIRST


def _rank(kind: str) -> int:
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _is_deployment(body: Mapping[str, Any]) -> bool:
    return bool(body["kind"] == "Deployment" and str(body["apiVersion"]).startswith("apps/"))


def _key(body: Mapping[str, Any]) -> Key:
    return Manifest(body).key


def _where(one: Document, line: int | None = None) -> str:
    name = f"{one.value['kind']}/{one.value['metadata']['name']}"
    return f"{one.origin}, line {line if line is not None else one.line}: {name}"
