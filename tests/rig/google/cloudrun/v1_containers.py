"""Containers and volumes, v2 <-> v1, as JSON (pure). Probes, ports, limits and mounts are the same in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.rig.google.cloudrun.v1_annotations import Json

_SAME = (
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "volumeMounts",
    "livenessProbe",
    "startupProbe",
    "readinessProbe",
)
_CLOUD_SQL = "cloudsql"  # v1 has no such volume: an annotation names the instances, and they are mounted here
_CLOUD_SQL_PATH = "/cloudsql"
_GCS_DRIVER = "gcsfuse.run.googleapis.com"


class Aliases:
    """Secrets of other projects: v2 names them whole, v1 by an alias that an annotation explains."""

    def __init__(self, annotation: str = "") -> None:
        pairs = (part.partition(":") for part in annotation.split(",") if part)
        self.names = {alias: name for alias, _, name in pairs}

    def alias(self, secret: str) -> str:
        """What v1 calls a secret."""
        if "/" not in secret:
            return secret
        _, project, _, short = secret.split("/", 3)
        alias = f"{short}-in-{project}"  # not the short name alone: the service's own project may have one of it
        self.names[alias] = secret
        return alias

    def secret(self, alias: str) -> str:
        """What v2 calls it."""
        return self.names.get(alias, alias)

    def annotation(self) -> str:
        """The value of run.googleapis.com/secrets, "" when there is nothing to explain."""
        return ",".join(f"{alias}:{name}" for alias, name in self.names.items())


def container_to_v1(v2: Mapping[str, Any], aliases: Aliases) -> Json:
    """A container; what v1 keeps in annotations (CPU, dependencies, base image) is not in it."""
    v1 = {name: v2[name] for name in _SAME if name in v2}
    if "volumeMounts" in v1:
        v1["volumeMounts"] = [mount for mount in v1["volumeMounts"] if mount["name"] != _CLOUD_SQL]
    if "env" in v2:
        v1["env"] = [_env_to_v1(entry, aliases) for entry in v2["env"]]
    limits = v2.get("resources", {}).get("limits")
    if limits:
        v1["resources"] = {"limits": limits}
    return v1


def container_from_v1(v1: Mapping[str, Any], aliases: Aliases) -> Json:
    """The reverse of `container_to_v1`."""
    v2 = {name: v1[name] for name in _SAME if v1.get(name)}
    if v1.get("env"):
        v2["env"] = [_env_from_v1(entry, aliases) for entry in v1["env"]]
    v2["resources"] = {"limits": dict(v1.get("resources", {}).get("limits") or {})}
    return v2


def volumes_to_v1(v2: list[Json], aliases: Aliases) -> list[Json]:
    """Volumes; Cloud SQL is left to `cloud_sql`."""
    return [_volume_to_v1(volume, aliases) for volume in v2 if "cloudSqlInstance" not in volume]


def volumes_from_v1(v1: list[Json], aliases: Aliases) -> list[Json]:
    """The reverse of `volumes_to_v1`."""
    return [_volume_from_v1(volume, aliases) for volume in v1]


def cloud_sql(v2: list[Json]) -> str:
    """The value of run.googleapis.com/cloudsql-instances."""
    instances = (volume["cloudSqlInstance"].get("instances", []) for volume in v2 if "cloudSqlInstance" in volume)
    return ",".join(name for names in instances for name in names)


def mount_cloud_sql(template: Json, annotation: str) -> None:
    """Give every container of a v2 template the instances that the annotation names."""
    instances = {"name": _CLOUD_SQL, "cloudSqlInstance": {"instances": annotation.split(",")}}
    template["volumes"] = [*template.get("volumes", []), instances]
    for container in template["containers"]:
        mount = {"name": _CLOUD_SQL, "mountPath": _CLOUD_SQL_PATH}
        container["volumeMounts"] = [*container.get("volumeMounts", []), mount]


def _env_to_v1(v2: Mapping[str, Any], aliases: Aliases) -> Json:
    reference = v2.get("valueSource", {}).get("secretKeyRef")
    if reference is None:
        return {"name": v2["name"], "value": v2.get("value", "")}
    named = {"name": aliases.alias(reference["secret"]), "key": reference.get("version", "latest")}
    return {"name": v2["name"], "valueFrom": {"secretKeyRef": named}}


def _env_from_v1(v1: Mapping[str, Any], aliases: Aliases) -> Json:
    reference = v1.get("valueFrom", {}).get("secretKeyRef")
    if reference is None:
        return {"name": v1["name"], "value": v1.get("value", "")}
    named = {"secret": aliases.secret(reference["name"]), "version": reference["key"]}
    return {"name": v1["name"], "valueSource": {"secretKeyRef": named}}


def _volume_to_v1(v2: Mapping[str, Any], aliases: Aliases) -> Json:
    if "secret" in v2:
        secret = {"secretName": aliases.alias(v2["secret"]["secret"]), **_modes(v2["secret"])}
        items = [_renamed(item, version="key") for item in v2["secret"].get("items", [])]
        return {"name": v2["name"], "secret": {**secret, **({"items": items} if items else {})}}
    if "gcs" in v2:
        attributes = {"bucketName": v2["gcs"]["bucket"]}
        if v2["gcs"].get("mountOptions"):
            attributes["mountOptions"] = ",".join(v2["gcs"]["mountOptions"])
        driver = {"driver": _GCS_DRIVER, "readOnly": v2["gcs"].get("readOnly", False), "volumeAttributes": attributes}
        return {"name": v2["name"], "csi": driver}
    if "emptyDir" in v2:
        medium = {"medium": "Memory"} if v2["emptyDir"].get("medium") == "MEMORY" else {}
        return {"name": v2["name"], "emptyDir": {**v2["emptyDir"], **medium}}
    return dict(v2)  # NFS has the same shape


def _volume_from_v1(v1: Mapping[str, Any], aliases: Aliases) -> Json:
    if "secret" in v1:
        secret = {"secret": aliases.secret(v1["secret"]["secretName"]), **_modes(v1["secret"])}
        items = [_renamed(item, key="version") for item in v1["secret"].get("items", [])]
        return {"name": v1["name"], "secret": {**secret, **({"items": items} if items else {})}}
    if "csi" in v1:
        attributes = v1["csi"].get("volumeAttributes", {})
        gcs: Json = {"bucket": attributes.get("bucketName", ""), "readOnly": v1["csi"].get("readOnly", False)}
        if attributes.get("mountOptions"):
            gcs["mountOptions"] = attributes["mountOptions"].split(",")
        return {"name": v1["name"], "gcs": gcs}
    if "emptyDir" in v1:
        medium = {"medium": "MEMORY"} if v1["emptyDir"].get("medium") == "Memory" else {}
        return {"name": v1["name"], "emptyDir": {**v1["emptyDir"], **medium}}
    return dict(v1)


def _modes(source: Mapping[str, Any]) -> Json:
    return {"defaultMode": source["defaultMode"]} if "defaultMode" in source else {}


def _renamed(item: Mapping[str, Any], **names: str) -> Json:
    return {names.get(name, name): value for name, value in item.items()}
