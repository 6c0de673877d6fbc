"""What is said of an Ingress whose class or certificate nobody made."""

from __future__ import annotations

from typing import Any, cast

import pytest

from shipper.targets import Denied
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.fronts import remark_on_ingress
from shipper_targets.kubernetes.kinds import Kind
from tests.unit.kubernetes.kube_api import Server
from tests.unit.kubernetes.kube_rendering import own

pytestmark = pytest.mark.unit

NGINX = {"kind": "IngressClass", "metadata": {"name": "nginx"}}
CERTIFICATE = {"kind": "Secret", "metadata": {"name": "shop-tls"}}


def remarks(server: Server, **ingress: Any) -> list[str]:
    told: list[str] = []
    remark_on_ingress(cast("Api", server), own(ingress={"host": "shop.example.com", **ingress}), told.append)
    return told


def test_a_class_that_is_misspelt_is_told_with_those_that_are_there() -> None:
    assert remarks(Server(NGINX), class_name="ngnix") == [
        "there is no IngressClass ngnix (the cluster has nginx): perhaps nobody serves this Ingress"
    ]
    assert "the cluster has none" in remarks(Server(), class_name="nginx")[0]


def test_a_certificate_that_is_still_to_be_made_is_told() -> None:
    assert "no Secret shop-tls yet" in remarks(Server(NGINX), class_name="nginx", tls_secret="shop-tls")[0]


def test_nothing_is_said_of_what_is_there() -> None:
    assert remarks(Server(NGINX, CERTIFICATE), class_name="nginx", tls_secret="shop-tls") == []
    assert remarks(Server()) == []


def test_who_may_not_look_hears_nothing() -> None:
    class Closed(Server):
        def list(self, kind: Kind, **_: str) -> Any:
            raise Denied("ingressclasses is forbidden")

        def find(self, kind: Kind, name: str, namespace: str | None = None) -> Any:
            raise Denied("secrets is forbidden")

    assert remarks(Closed(), class_name="ngnix", tls_secret="shop-tls") == []
