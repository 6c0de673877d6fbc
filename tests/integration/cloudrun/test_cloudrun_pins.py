"""A secret that is rotated, then taken away, while a run goes on."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError
from shipper.model import Settings
from shipper.rollout.secret_versions import secret_versions_of
from shipper.targets.conformance import Values
from tests.integration.cloudrun.conftest import Place
from tests.integration.cloudrun.test_cloudrun_beside import secret
from tests.rig.google.handle import GoogleRig

pytestmark = pytest.mark.integration

SETTINGS = Settings.model_validate(
    {"service": {"service": "web", "root": "/"}, "run": {"secrets": {"TOKEN": "secret-manager:token"}}}
)


@pytest.mark.parametrize("verb", ["disable", "destroy"])
def test_the_first_version_stays_the_runs_until_it_is_gone(place: Place, verb: str) -> None:
    secret(place, "token", b"one")
    run, target = Values({}), place.target()
    pinned = secret_versions_of(SETTINGS, run, target, make_key=False)
    assert pinned is not None
    secret(place, "token", b"two")
    assert secret_versions_of(SETTINGS, run, target, make_key=False) == pinned
    assert target.secret_value(pinned["TOKEN"]) == b"one"
    GoogleRig(place.google.url).set_secret(place.project, "token", "1", verb)
    with pytest.raises(ConfigError, match="was there when this run began"):
        secret_versions_of(SETTINGS, run, target, make_key=False)
