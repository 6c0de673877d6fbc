"""Whether this machine gets to what serves at all: where it does not, that says nothing about a release."""

from __future__ import annotations

import threading

from shipper.model import HealthSettings, Observation, SmokeSettings
from shipper.rollout.verify import golden_requests
from shipper.smoke.asking import ask

LONGEST = 1.0
"""Seconds that looking may hold up a rollback; what takes longer is not known."""


def why_unreached(now: Observation, health: HealthSettings, smoke: SmokeSettings) -> str:
    """Why no connection is made to what serves; empty when one is, when it is not known, or not asked from here."""
    address = now.address
    if address is None or address.reach != "public" or not now.serving:
        return ""
    found: list[str] = []

    def look() -> None:
        asked = ask(address.url, golden_requests(health, smoke)[0], host=address.host)
        found.append("" if asked.reached else asked.probe.problem)

    thread = threading.Thread(target=look, name="shipper-unreached", daemon=True)
    thread.start()
    thread.join(LONGEST)
    return found[0] if found else ""
