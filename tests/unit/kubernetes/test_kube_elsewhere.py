"""Who forgot --env is told where the service is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.elsewhere import elsewhere
from shipper_targets.kubernetes.kinds import DEPLOYMENT
from shipper_targets.kubernetes.labels import labels_of
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_rendering import settings_of

pytestmark = pytest.mark.unit

HERE = settings_of("shop", "dev")


def of(service: str, environment: str) -> dict[str, Any]:
    labels = labels_of(settings_of(service, environment), "base")
    return {"kind": "Deployment", "metadata": {"name": f"{service}-{environment}", "labels": labels}}


def test_other_environments_of_the_same_service_are_named() -> None:
    server = Server(of("shop", "production"), of("shop", "dev"), of("front", "staging"))
    assert elsewhere(cast("Api", server), DEPLOYMENT, HERE) == (
        "shop is in this namespace in production: --env production",
    )


def test_who_may_not_look_is_told_nothing() -> None:
    class Closed(Server):
        def list_metadata(self, *_: Any, **__: Any) -> Any:
            raise Denied("deployments is forbidden")

    assert elsewhere(cast("Api", Closed()), DEPLOYMENT, HERE) == ()
