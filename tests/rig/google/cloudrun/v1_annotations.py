"""v1 keeps in annotations what v2 has fields for. The tables here say which, and both directions read them (pure).

Keys and values are those that gcloud 528 writes and reads (googlecloudsdk/api_lib/run/{service,revision,
container_resource,k8s_object}.py) and https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services.
v2 is in its JSON form: lowerCamelCase, enumerations by name, what is false or empty left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.rig.google.cloudrun.errors import ApiError

RUN = "run.googleapis.com"
PLATFORM = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
Json = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How a value is written in an annotation, and read from one (ValueError when it cannot be)."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


@dataclass(frozen=True)
class Entry:
    """One annotation and the v2 field that it stands for; `path` has dots between members."""

    key: str
    path: str
    kind: Kind


def _read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _choice(**names: str) -> Kind:
    """v2's name of a choice -> v1's."""
    back = {shown: name for name, shown in names.items()}

    def read(text: str) -> str:
        if text not in back:
            raise ValueError(text)
        return back[text]

    return Kind(lambda name: names[name], read)


TEXT = Kind(str, str)
NUMBER = Kind(str, int)
FLAG = Kind(lambda value: str(bool(value)).lower(), _read_bool)
JSON = Kind(lambda value: json.dumps(value, separators=(",", ":")), json.loads)
HOURS = Kind(
    lambda seconds: str(int(str(seconds).removesuffix("s")) // 3600),
    lambda hours: f"{int(hours) * 3600}s",
)

SERVICE = (
    Entry(f"{RUN}/description", "description", TEXT),
    Entry(f"{RUN}/client-name", "client", TEXT),
    Entry(f"{RUN}/client-version", "clientVersion", TEXT),
    Entry(
        f"{RUN}/ingress",
        "ingress",
        _choice(
            INGRESS_TRAFFIC_ALL="all",
            INGRESS_TRAFFIC_INTERNAL_ONLY="internal",
            INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER="internal-and-cloud-load-balancing",
            INGRESS_TRAFFIC_NONE="none",
        ),
    ),
    Entry(f"{RUN}/launch-stage", "launchStage", _choice(GA="GA", BETA="BETA", ALPHA="ALPHA")),
    Entry(f"{RUN}/minScale", "scaling.minInstanceCount", NUMBER),
    Entry(f"{RUN}/maxScale", "scaling.maxInstanceCount", NUMBER),
    Entry(f"{RUN}/scalingMode", "scaling.scalingMode", _choice(AUTOMATIC="automatic", MANUAL="manual")),
    Entry(f"{RUN}/manualInstanceCount", "scaling.manualInstanceCount", NUMBER),
    Entry(f"{RUN}/custom-audiences", "customAudiences", JSON),
    Entry(f"{RUN}/invoker-iam-disabled", "invokerIamDisabled", FLAG),
    Entry(f"{RUN}/default-url-disabled", "defaultUriDisabled", FLAG),
    Entry(f"{RUN}/iap-enabled", "iapEnabled", FLAG),
    Entry(f"{RUN}/binary-authorization-breakglass", "binaryAuthorization.breakglassJustification", TEXT),
)

TEMPLATE = (
    Entry("autoscaling.knative.dev/minScale", "scaling.minInstanceCount", NUMBER),
    Entry("autoscaling.knative.dev/maxScale", "scaling.maxInstanceCount", NUMBER),
    Entry(
        f"{RUN}/execution-environment",
        "executionEnvironment",
        _choice(EXECUTION_ENVIRONMENT_GEN1="gen1", EXECUTION_ENVIRONMENT_GEN2="gen2"),
    ),
    Entry(f"{RUN}/vpc-access-connector", "vpcAccess.connector", TEXT),
    Entry(
        f"{RUN}/vpc-access-egress",
        "vpcAccess.egress",
        _choice(ALL_TRAFFIC="all-traffic", PRIVATE_RANGES_ONLY="private-ranges-only"),
    ),
    Entry(f"{RUN}/network-interfaces", "vpcAccess.networkInterfaces", JSON),
    Entry(f"{RUN}/encryption-key", "encryptionKey", TEXT),
    Entry(
        f"{RUN}/post-key-revocation-action-type",
        "encryptionKeyRevocationAction",
        _choice(PREVENT_NEW="prevent-new", SHUTDOWN="shut-down"),
    ),
    Entry(f"{RUN}/encryption-key-shutdown-hours", "encryptionKeyShutdownDuration", HOURS),
    Entry(f"{RUN}/sessionAffinity", "sessionAffinity", FLAG),
    Entry(f"{RUN}/health-check-disabled", "healthCheckDisabled", FLAG),
    Entry(f"{RUN}/gpu-zonal-redundancy-disabled", "gpuZonalRedundancyDisabled", FLAG),
    Entry(f"{RUN}/mesh", "serviceMesh.mesh", TEXT),
)


def written(table: tuple[Entry, ...], v2: Mapping[str, Any]) -> dict[str, str]:
    """The annotations that stand for what a v2 object has."""
    found = {}
    for entry in table:
        value = _get(v2, entry.path)
        if value is not None:
            found[entry.key] = entry.kind.write(value)
    return found


def take(table: tuple[Entry, ...], annotations: dict[str, str], v2: Json, where: str) -> None:
    """Move what the table knows from `annotations` into a v2 object. ApiError for a value that cannot be read."""
    for entry in table:
        if entry.key in annotations:
            text = annotations.pop(entry.key)
            try:
                put(v2, entry.path, entry.kind.read(text))
            except ValueError:
                problem = f"{where}.annotations[{entry.key}]: Invalid value: '{text}'"
                raise ApiError("INVALID_ARGUMENT", problem) from None


def refuse_unknown(annotations: Mapping[str, str], where: str) -> None:
    """What is left in the platform's namespaces is a mistake; the words of the real refusal are not verified."""
    for key in annotations:
        if key.partition("/")[0] in PLATFORM:
            raise ApiError("INVALID_ARGUMENT", f"{where}.annotations[{key}]: annotation is not supported")


def put(v2: Json, path: str, value: Any) -> None:
    """Set a member by its path."""
    *way, last = path.split(".")
    for part in way:
        v2 = v2.setdefault(part, {})
    v2[last] = value


def _get(v2: Mapping[str, Any], path: str) -> Any:
    found: Any = v2
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
