"""`shipper verify` of what does not answer as it must says what to do."""

from __future__ import annotations

import pytest

from shipper.model import Verdict
from shipper.model.shown import Verified
from shipper.reporting.show import show_verified

pytestmark = pytest.mark.unit

WRONG = Verdict(ok=False, proof="routing", reason="ready at /: answered 404, expected 200")


@pytest.mark.parametrize(
    ("serves", "hint", "step"),
    [
        ("#3", "is it the right class?", "next: is it the right class?"),
        ("#3", "", "next: `shipper status` shows how to go back; `shipper logs` shows what it wrote"),
        ("", "", "next: deploy it with `shipper release`"),
    ],
)
def test_the_next_step_is_the_targets_own_where_it_has_one(
    capsys: pytest.CaptureFixture[str], serves: str, hint: str, step: str
) -> None:
    verdict = WRONG.model_copy(update={"hint": hint})
    verified = Verified(
        service="shop", environment="dev", target="here", serves=serves, revision="shop-3", verdict=verdict
    )
    show_verified(verified, as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["shop in dev on here: NOT WELL: ready at /: answered 404, expected 200", step]
