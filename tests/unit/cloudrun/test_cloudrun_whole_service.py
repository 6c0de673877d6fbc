"""What holds for the whole service: what differs is set, what was changed by hand is known, what was is recalled."""

from __future__ import annotations

import pytest
from google.cloud import run_v2

from shipper_targets.cloudrun.whole_service import by_hand, recalled, remembered, take
from shipper_targets.cloudrun.written import fields_of

pytestmark = pytest.mark.unit


def service(*, ingress: int = 1, public: bool = False, least: int = 0) -> run_v2.Service:
    return run_v2.Service(
        ingress=run_v2.IngressTraffic(ingress),
        invoker_iam_disabled=public,
        scaling=run_v2.ServiceScaling(min_instance_count=least, max_instance_count=9),
        description="theirs",
    )


def test_only_what_differs_is_set_and_written() -> None:
    now = service()
    assert take(now, service()) == ()
    assert take(now, service(ingress=2, least=3)) == ("ingress", "scaling.min_instance_count")
    assert now == service(ingress=2, least=3)
    assert take(now, service(public=True), kept={"ingress", "least"}) == ("invoker_iam_disabled",)
    assert now == service(ingress=2, public=True, least=3)


def test_what_was_changed_by_hand() -> None:
    ours = fields_of(service(), {}, "")
    assert by_hand(service(), ours) == frozenset()
    assert by_hand(service(ingress=0, public=True, least=2), ours) == {"public", "least"}, "ingress is not told"


def test_what_was_before_is_recalled_and_nothing_else() -> None:
    found = recalled(remembered(service(ingress=3, public=True, least=2)))
    assert found is not None
    assert fields_of(found, {}, "") == fields_of(service(ingress=3, public=True, least=2), {}, "")
    assert (found.description, found.scaling.max_instance_count) == ("", 0)
    assert recalled("no JSON") is None
