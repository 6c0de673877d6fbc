"""What `shipper render` cannot write is told with the target's own table."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError
from shipper_targets.kubernetes.files import refuse_unrenderable
from shipper_targets.kubernetes.limits import limit_problems
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit


def test_a_setting_is_named_with_its_target() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_unrenderable(limit_problems(settings_of(), own(max_surge=0, max_unavailable=0)), "prod")
    assert caught.value.details[0].startswith("targets.prod.max_surge: with neither more nor fewer")


def test_what_can_be_written_is_not_refused() -> None:
    refuse_unrenderable(limit_problems(settings_of(), own()), "prod")
