"""What is there of the service "shop", as the API server sends it: releases are told apart by their number."""

from __future__ import annotations

from typing import Any

from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.records import Record

LABELS = {"shipper.dev/service": "shop", "shipper.dev/environment": "production", "shipper.dev/instance": "shop"}


def marks(number: int) -> dict[str, str]:
    return {"shipper.dev/release": f"01ARZ3NDEKTSV4RRFFQ69000{number:02}", "shipper.dev/number": str(number)}


def revision(number: int) -> str:
    return f"shop-{number}-9000{number:02}"


def deployment(
    number: int,
    *,
    name: str = "shop",
    replicas: int = 3,
    updated: int = 3,
    total: int = 3,
    available: int = 3,
    **more: Any,
) -> dict[str, Any]:
    annotations = {**marks(number), "deployment.kubernetes.io/revision": str(number), **more.pop("annotations", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "uid": f"uid of {name}",
            "generation": more.pop("generation", 2),
            "labels": LABELS,
            "annotations": annotations,
        },
        "spec": {"replicas": replicas, "template": {"spec": {"image": number}}, **more.pop("spec", {})},
        "status": {
            "observedGeneration": more.pop("observed", 2),
            "replicas": total,
            "updatedReplicas": updated,
            "availableReplicas": available,
            "conditions": [{"type": "Progressing", "reason": more.pop("reason", "NewReplicaSetAvailable")}],
        },
    }


def replica_set(
    number: int, available: int, *, of: str = "shop", last: int | None = None, pods: int | None = None
) -> dict[str, Any]:
    """`last`: which of the rollouts so far was its last one; `pods`: how many it has, available or not."""
    owner = [{"uid": f"uid of {of}", "controller": True}]
    annotations = {**marks(number), "deployment.kubernetes.io/revision": str(last or number)}
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{of}-{number}",
            "uid": f"{number}",
            "ownerReferences": owner,
            "annotations": annotations,
        },
        "spec": {"template": {"spec": {"image": number}}},
        "status": {"availableReplicas": available, "replicas": available if pods is None else pods},
    }


def service(workload: str, **annotations: str) -> dict[str, Any]:
    selector = {"app.kubernetes.io/instance": "shop", "shipper.dev/workload": workload}
    metadata = {"name": "shop", "uid": "service", "labels": LABELS, "annotations": annotations}
    return {"kind": "Service", "metadata": metadata, "spec": {"selector": selector}}


def found(**more: Any) -> Found:
    return Found(**{"base": "shop", "shape": "rolling", "routes": False, **more})


def record(number: int, workload: str = "shop") -> Record:
    annotations = {**marks(number), "shipper.dev/workload": workload}
    metadata = {"name": f"shipper-{revision(number)}", "uid": f"record {number}", "annotations": annotations}
    return Record({"metadata": metadata})
