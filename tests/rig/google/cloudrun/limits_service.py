"""The name of a service: CreateServiceRequest.service_id's description."""

from __future__ import annotations

import re

from tests.rig.google.cloudrun.errors import invalid

_ID = re.compile(r"^[a-z]([-a-z0-9]{0,47}[a-z0-9])?$")


def check_service_id(service_id: str) -> None:
    """It begins with a letter, does not end with a hyphen, and has fewer than 50 characters, all lower case."""
    if not _ID.match(service_id):
        problem = (
            f"'{service_id}' must use only lowercase alphanumeric characters and dashes, cannot begin or end with a "
            "dash, and cannot be longer than 49 characters"
        )
        raise invalid("service_id", problem)
