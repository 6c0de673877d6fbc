"""Objects that a GitOps tool owns: what we write there is put back within minutes, so nothing is written. Pure.

Sources: Argo CD, resource tracking (label or annotation); Flux, kustomize-controller's and helm-controller's labels;
Config Sync, its annotations; Fleet, its labels.
"""

from __future__ import annotations

from shipper_targets.kubernetes.values import Object, mapping, objects, text

_LABELS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "objectset.rio.cattle.io/hash": "Fleet",
}
_ANNOTATIONS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "configmanagement.gke.io/managed": "Config Sync",
    "configsync.gke.io/resource-id": "Config Sync",
}
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "configsync.gke.io": "Config Sync",
}


def managed_by(carrier: Object) -> str:
    """The tool that owns an object, such as "Argo CD (shop)"; "" when none does.

    By its marks, which most tools set; else by a manager that has applied the object's spec.
    """
    for member, known in (("labels", _LABELS), ("annotations", _ANNOTATIONS)):
        found = mapping(carrier, "metadata", member)
        for key, tool in known.items():
            if key in found:
                return _named(tool, str(found[key]))
    for entry in objects(carrier, "metadata", "managedFields"):
        tool = _MANAGERS.get(text(entry, "manager"), "")
        if tool and "f:spec" in mapping(entry, "fieldsV1"):
            return tool
    return ""


def _named(tool: str, value: str) -> str:
    name = value.partition(":")[0]
    return f"{tool} ({name})" if name and len(name) < 64 and tool in ("Argo CD", "Flux") else tool
