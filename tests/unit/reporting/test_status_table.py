"""What `shipper status` says of revisions that can take traffic at once, and have no instance."""

from __future__ import annotations

import pytest

from shipper.model import Observation, Revision
from shipper.model.shown import Status
from shipper.reporting.show import show_status

pytestmark = pytest.mark.unit


def test_what_is_scaled_to_zero_is_ready_and_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    serves, old, gone = (
        Revision(name="shop-3", release="c", number=3, weight=100),
        Revision(name="shop-2", release="b", number=2),
        Revision(name="shop-1", release="a", number=1, state="stopped"),
    )
    now = Observation(seen="1", serving=(serves,), revisions=(serves, old, gone), idle=("shop-2",))

    show_status(Status(service="shop", environment="dev", target="kn", observation=now, verdict=None), as_json=False)

    told = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.lstrip().startswith("#")}
    assert "ready, scaled to zero" in told["shop-2"]
    assert "running" in told["shop-3"]
    assert "stopped" in told["shop-1"]
