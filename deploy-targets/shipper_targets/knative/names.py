"""Names on Knative: legal, readable, and the same for the same release. Pure.

Revisions are DNS labels that begin with the Service's name and a dash; tags are DNS labels (RFC 1035), and become the
first part of a host name: `n12-shop.shops.example.com`.
"""

from __future__ import annotations

import re

from shipper.model import Release, Settings
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.names import base_of, revision_name

_OUR_TAG = re.compile(r"n[0-9]+")


def service_name(settings: Settings, own: KnativeSettings) -> str:
    """`<service>` in production, `<service>-<environment>` elsewhere; at most 40 characters."""
    return base_of(settings, own.name)


def name_of_release(service: str, release: Release) -> str:
    """`<service>-<number>-<last 6 of the release id>`: a name can be used once for ever."""
    return revision_name(service, release)


def tag_of(number: int) -> str:
    """The tag under which a revision is reachable while it has not all of the traffic."""
    return f"n{number}"


def is_our_tag(tag: str) -> bool:
    """Whether shipper sets tags like this; others are left alone."""
    return _OUR_TAG.fullmatch(tag) is not None
