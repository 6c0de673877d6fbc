"""Where a service answers, and one revision of it by its tag. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from shipper.model import Address
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.settings_parts import UNREACHED
from shipper_targets.kubernetes.values import Object, objects, text

MISLED = (
    "something answers there, and perhaps not this service: is it the cluster's way in? kubectl get ksvc, "
    "and the Service of its ingress controller (kourier, istio-ingressgateway)"
)
"""What to do where the answer to the first question at a service's address is wrong."""


def address_of(service: Object, own: KnativeSettings) -> Address | None:
    """None while Knative has given it none. With `address` it is asked there, under its own host name."""
    url = text(service, "status", "url")
    if not url:
        return None
    if answers_inside_only(url, own):
        return Address(url=url, reach="internal")
    if own.address is not None:
        return Address(url=own.address, host=host_of(url), reach="public", unreached=UNREACHED, misled=MISLED)
    return Address(url=url, reach="public", unreached=UNREACHED, misled=MISLED)


def tag_url(service: Object, revision: str) -> str:
    """The URL of one of the revision's tags, as it is routed; "" without one."""
    found = objects(service, "status", "traffic")
    urls = (text(one, "url") for one in found if text(one, "revisionName") == revision and text(one, "tag"))
    return next((url for url in urls if url), "")


def answers_inside_only(url: str, own: KnativeSettings) -> bool:
    """As the settings say, else as the name does: what serves may have another visibility than the next release."""
    return own.reach == "internal" if own.reach is not None else is_inside(url)


def is_inside(url: str) -> bool:
    """Whether only who is in the cluster knows this name: the cluster's own domain may have another end."""
    host = host_of(url)
    return host.endswith(".svc") or ".svc." in host


def host_of(url: str) -> str:
    """The host name of a URL, with its port where it has one."""
    return urlsplit(url).netloc
