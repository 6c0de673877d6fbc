"""BuildKit in a cluster, through buildx's Kubernetes driver: a Deployment, made on first use.

The driver takes the current context of what KUBECONFIG names, and no other. So ours names a file in front that says
the current context and nothing else: kubeconfigs are merged, the first to say something wins, and no credential is
copied. The Deployment's name is a hash of what the cluster sees: a team's machines share it.
Source: docker/buildx, driver/kubernetes (factory.go, context/load.go), the same in 0.13.1 and 0.36.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shipper.errors import ConfigError
from shipper.images.builder import Instance, file_of, name_for
from shipper.images.builder_home import builder_home, keep_file
from shipper.images.builder_pods import Where
from shipper.model.builder import KubernetesBuilder, Resources, Toleration

MANAGED_BY = "app.kubernetes.io/managed-by"
BUILDER = "shipper.dev/builder"
_ARCHITECTURE = "kubernetes.io/arch"
_IN_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
_CREDENTIALS = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_")
"""What the credential programs of the clouds' clusters read; children do not get these otherwise."""


def kubernetes_instance(settings: KubernetesBuilder, root: Path, platform: str, environ: Mapping[str, str]) -> Instance:
    """Writes the file that names the context. Raises ConfigError."""
    options = driver_options(settings, platform)
    node = name_for({"options": options, "platform": platform})
    labels = f"{MANAGED_BY}=shipper,{BUILDER}={node}"
    configs = _kubeconfigs(settings, root, environ)
    name = name_for({"node": node, "context": settings.context, "configs": [str(path) for path in configs]})
    environment = _environment(settings, name, configs, environ)
    whose = f"--context={settings.context} " if settings.context else ""
    return Instance(
        name=name,
        node=node,
        driver="kubernetes",
        place=f"namespace {settings.namespace} of {settings.context or 'this cluster'}",
        patience=settings.start_timeout,
        options=(*options, ("labels", labels)),
        platform=platform,
        environment=environment,
        advice=f"kubectl {whose}--namespace={settings.namespace} describe pods -l app={node}",
        where=Where(environment["KUBECONFIG"], settings.context, settings.namespace, node),
    )


def driver_options(settings: KubernetesBuilder, platform: str) -> tuple[tuple[str, str], ...]:
    """buildx's own options, but for the labels. Pure.

    The architecture is always selected: builds run natively on nodes of the image's platform, never emulated.
    """
    selector = {**settings.node_selector, _ARCHITECTURE: platform.split("/")[1]}
    options = {
        "namespace": settings.namespace,
        "replicas": str(settings.replicas),
        **_resources("requests", settings.requests),
        **_resources("limits", settings.limits),
        "nodeselector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        "tolerations": ";".join(_toleration(each) for each in settings.tolerations),
        "serviceaccount": settings.service_account or "",
        "loadbalance": settings.load_balance,
        "image": settings.image or "",
        "rootless": "true" if settings.rootless else "",
    }
    return tuple((name, value) for name, value in options.items() if value)


def _resources(kind: str, resources: Resources) -> dict[str, str]:
    """As Kubernetes' quantities: thousandths of a core, and bytes."""
    cpu = "" if resources.cpu is None else f"{max(1, round(resources.cpu * 1000))}m"
    return {f"{kind}.cpu": cpu, f"{kind}.memory": "" if resources.memory is None else str(resources.memory)}


def _toleration(toleration: Toleration) -> str:
    fields = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
        "tolerationSeconds": toleration.seconds,
    }
    return ",".join(f"{name}={value}" for name, value in fields.items() if value not in (None, ""))


def _kubeconfigs(settings: KubernetesBuilder, root: Path, environ: Mapping[str, str]) -> list[Path]:
    """The files in which the context is; none inside of a cluster. Raises ConfigError."""
    if settings.context is None:
        if any(not environ.get(name) for name in _IN_CLUSTER):
            hint = "name one; `kubectl config get-contexts` lists them. The current one is never taken unasked"
            raise ConfigError("image.kubernetes.context is missing, and this is not inside of a cluster", hint=hint)
        return []
    if settings.kubeconfig is not None:
        return [file_of(settings.kubeconfig, root)]
    named = [Path(path).absolute() for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return named or [Path("~/.kube/config").expanduser()]


def _environment(
    settings: KubernetesBuilder, name: str, configs: list[Path], environ: Mapping[str, str]
) -> dict[str, str]:
    """Without a context the configuration is empty, so that the pod's service account is taken; with one the cluster
    around us is not told of, so that it is never taken instead."""
    pointer = builder_home(environ) / "kube" / name
    document: dict[str, object] = {"apiVersion": "v1", "kind": "Config"}
    if settings.context is not None:
        document["current-context"] = settings.context
    keep_file(pointer, json.dumps(document))
    found = {"KUBECONFIG": os.pathsep.join(str(path) for path in (pointer, *configs))}
    if settings.context is None:
        found.update({variable: environ[variable] for variable in _IN_CLUSTER})
    return {**{key: value for key, value in environ.items() if key.startswith(_CREDENTIALS)}, **found}
