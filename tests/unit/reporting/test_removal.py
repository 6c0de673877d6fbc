"""What a person reads before a service is removed."""

from __future__ import annotations

import pytest

from shipper.model.shown import ToRemove
from shipper.reporting.show import show_removal

pytestmark = pytest.mark.unit


def test_it_says_what_a_rollback_has_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    """Not that there is none: with the ledger and a registry it comes back."""
    planned = ToRemove(service="shop", environment="dev", target="here", revisions=("shop-1",), address="http://shop")
    show_removal(planned)
    said = capsys.readouterr().err
    assert "a rollback afterwards has only what the ledger and a registry keep" in said
    assert "no rollback" not in said
