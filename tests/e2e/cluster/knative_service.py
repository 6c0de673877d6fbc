"""The fixture service on Knative, as Knative has it and as its users see it."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.answer import Answer, asked
from tests.e2e.cluster.conftest import Cluster


def service(place: Cluster) -> dict[str, Any]:
    """As Knative has it."""
    found: dict[str, Any] = json.loads(place.kubectl("get", "ksvc", "shop-dev", "-o", "json"))
    return found


def ask(place: Cluster) -> Answer:
    """By the host name that Knative gave it."""
    return asked(place.hands.edge_url, host=str(service(place)["status"]["url"]).partition("://")[2])


def serves(place: Cluster) -> dict[str, int]:
    """Revision to percent, as Knative says it."""
    return {one["revisionName"]: one["percent"] for one in service(place)["status"]["traffic"] if one.get("percent")}
