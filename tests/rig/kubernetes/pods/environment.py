"""A container's environment, and $(NAME) in it, as the kubelet makes them: kubelet_pods.go, third_party/expansion."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.rig.kubernetes.nodes.apiserver import ApiFailure, ApiServer, Object, path
from tests.rig.kubernetes.pods.quantities import quantity
from tests.rig.kubernetes.pods.runtime import Trouble
from tests.rig.kubernetes.pods.statuses import HOST_IP

_REFERENCE = re.compile(r"\$\$|\$\(([^)]+)\)")


class Lookups:
    """Secrets, ConfigMaps and Services of the cluster, asked for at every start."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """Its data; None when there is none."""
        found = self._find("secrets", namespace, name)
        return None if found is None else {k: base64.b64decode(v) for k, v in (found.get("data") or {}).items()}

    def config(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """Its data and binaryData; None when there is none."""
        found = self._find("configmaps", namespace, name)
        if found is None:
            return None
        text = {k: str(v).encode() for k, v in (found.get("data") or {}).items()}
        return text | {k: base64.b64decode(v) for k, v in (found.get("binaryData") or {}).items()}

    def services(self, namespace: str) -> list[Object]:
        found: list[Object] = self._api.get(path("services", namespace))["items"]
        return found

    def token(self, pod: Object, audience: str, seconds: int) -> str:
        """A token of the pod's ServiceAccount, bound to the pod. Raises ApiFailure."""
        metadata, account = pod["metadata"], pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec: Object = {"expirationSeconds": seconds, "boundObjectRef": bound}
        spec |= {"audiences": [audience]} if audience else {}
        address = path("serviceaccounts", metadata["namespace"], account, sub="token")
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self._api.create(address, asked)["status"]["token"])

    def _find(self, plural: str, namespace: str, name: str) -> Object | None:
        try:
            return self._api.get(path(plural, namespace, name))
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise


def resolve(pod: Object, container: Object, ip: str, lookups: Lookups) -> dict[str, str]:
    """Every variable of the container. Raises Trouble (CreateContainerConfigError) in the kubelet's words."""
    namespace = str(pod["metadata"]["namespace"])
    found = service_links(pod, lookups)
    for source in container.get("envFrom", []):
        found |= _whole(namespace, source, lookups)
    for variable in container.get("env", []):
        name, value = variable["name"], variable.get("value")
        if value is None and "valueFrom" in variable:
            value = _from(pod, container, ip, variable["valueFrom"], lookups)
            if value is None:  # optional, and not there
                continue
            found[name] = value
        else:
            found[name] = expand(value or "", found)
    return found


def expand(text: str, known: Mapping[str, str]) -> str:
    """$(NAME) becomes its value when it is known; $$ is a dollar sign."""

    def one(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return _REFERENCE.sub(one, text)


def service_links(pod: Object, lookups: Lookups) -> dict[str, str]:
    """NAME_SERVICE_HOST and the Docker-style variables of every Service in the namespace, as pkg/kubelet/envvars."""
    found = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    if pod["spec"].get("enableServiceLinks", True) is False:
        return found
    for service in lookups.services(pod["metadata"]["namespace"]):
        host = service["spec"].get("clusterIP", "")
        if host in ("", "None") or not service["spec"].get("ports"):
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        first = service["spec"]["ports"][0]
        protocol = first.get("protocol", "TCP").lower()
        found |= {
            f"{prefix}_SERVICE_HOST": host,
            f"{prefix}_SERVICE_PORT": str(first["port"]),
            f"{prefix}_PORT": f"{protocol}://{host}:{first['port']}",
        }
    return found


def field_value(pod: Object, ip: str, where: str) -> str:
    """A field of the downward API. Raises Trouble for one that it does not have."""
    metadata, spec = pod["metadata"], pod["spec"]
    plain: dict[str, Any] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": HOST_IP,
        "status.podIP": ip,
        "status.podIPs": ip,
        "status.hostIPs": HOST_IP,
    }
    if where in plain:
        return str(plain[where])
    for kind in ("labels", "annotations"):
        values = metadata.get(kind) or {}
        if where == f"metadata.{kind}":
            return "\n".join(f'{name}="{value}"' for name, value in sorted(values.items()))
        if named := re.fullmatch(rf"metadata\.{kind}\['(.+)'\]", where):
            return str(values.get(named[1], ""))
    raise Trouble("CreateContainerConfigError", f"unsupported fieldPath: {where}")


def _whole(namespace: str, source: Object, lookups: Lookups) -> dict[str, str]:
    kind, ask = ("configmap", lookups.config) if "configMapRef" in source else ("secret", lookups.secret)
    ref = source["configMapRef" if kind == "configmap" else "secretRef"]
    data = ask(namespace, ref["name"])
    if data is None and not ref.get("optional"):
        raise Trouble("CreateContainerConfigError", f'{kind} "{ref["name"]}" not found')
    prefix = source.get("prefix", "")
    return {prefix + name: value.decode("utf-8", "replace") for name, value in (data or {}).items()}


def _from(pod: Object, container: Object, ip: str, source: Object, lookups: Lookups) -> str | None:
    namespace = str(pod["metadata"]["namespace"])
    if "fieldRef" in source:
        return field_value(pod, ip, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(pod, container, source["resourceFieldRef"])
    if "configMapKeyRef" in source:
        return _one(namespace, source["configMapKeyRef"], "configmap", "ConfigMap", lookups.config)
    return _one(namespace, source["secretKeyRef"], "secret", "Secret", lookups.secret)


def _one(
    namespace: str, ref: Object, kind: str, title: str, ask: Callable[[str, str], dict[str, bytes] | None]
) -> str | None:
    data = ask(namespace, ref["name"])
    if data is None:
        if ref.get("optional"):
            return None
        raise Trouble("CreateContainerConfigError", f'{kind} "{ref["name"]}" not found')
    if ref["key"] not in data:
        if ref.get("optional"):
            return None
        raise Trouble(
            "CreateContainerConfigError", f"couldn't find key {ref['key']} in {title} {namespace}/{ref['name']}"
        )
    return data[ref["key"]].decode("utf-8", "replace")


def _resource(pod: Object, container: Object, ref: Object) -> str:
    named = ref.get("containerName", container["name"])
    owner = next(one for one in pod["spec"]["containers"] if one["name"] == named)
    kind, _, name = ref["resource"].partition(".")
    value = (owner.get("resources", {}).get(kind) or {}).get(name, "0")
    divisor = quantity(ref.get("divisor") or "1") or 1
    return str(-(-int(quantity(str(value)) * 1000) // int(divisor * 1000)))
