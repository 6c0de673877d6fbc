"""The suite looks over the shoulder of every call that the seam has: one left out would not be seen as a power."""

from __future__ import annotations

import pytest

from shipper.targets import protocol
from shipper.targets.conformance.powers import OF_TARGETS
from shipper.targets.conformance.watched import MEMBERS

pytestmark = pytest.mark.unit


def members_of(power: type) -> set[str]:
    """Its public methods; what is read as a property is passed on by name."""
    return {name for name, found in vars(power).items() if callable(found) and not name.startswith("_")}


@pytest.mark.parametrize("power", [protocol.Target, *OF_TARGETS], ids=lambda power: power.__name__)
def test_every_member_of_a_power_is_watched(power: type) -> None:
    assert members_of(power) - set(MEMBERS) == set()


def test_every_optional_power_of_the_seam_is_known_to_the_suite() -> None:
    found = [each for each in vars(protocol).values() if getattr(each, "_is_protocol", False)]
    seam = {each for each in found if each.__module__ == protocol.__name__}
    assert seam - set(OF_TARGETS) == {protocol.Target, protocol.TargetKind}
