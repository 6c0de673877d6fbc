"""From HAProxy's own words to counters, as version 2.6 said them on 2026-11-21."""

from __future__ import annotations

import pytest

from shipper.targets import Transient
from shipper_targets.docker.counting import traffic_of

pytestmark = pytest.mark.unit

HEAD = "# pxname,svname,stot,econ,eresp,wretr,hrsp_2xx,hrsp_5xx,srv_abrt,req_tot,"
SAID = f"""\
slot slot05
{HEAD}
slot05,shop-1-abcdef,12,2,3,10,4,1,1,5,
slot05,shop-2-fedcba,0,0,0,0,0,0,0,0,
0x55d3e40dd500: key=slot05/shop-1-abcdef use=0 exp=86399819 gpc0=5 gpc1=1 gpc2=2 gpc3=3 gpc4=3 gpc5=4 gpc6=5 gpc7=5
"""


def test_answers_come_from_the_table_and_silence_from_the_statistics() -> None:
    found = traffic_of(SAID)
    old = found["shop-1-abcdef"]
    # 5 answered (one of them 5xx, one of them cut short), 2 found nobody, and 2 got no answer at all.
    assert (old.requests, old.errors) == (9, 6)
    assert old.buckets == {0.01: 2, 0.05: 3, 0.1: 3, 0.25: 4, 1.0: 5, 2.5: 5}
    new = found["shop-2-fedcba"]
    assert (new.requests, new.errors, set(new.buckets.values())) == (0, 0, {0})


def test_a_service_that_is_not_behind_the_proxy_has_no_counters() -> None:
    assert traffic_of("") == {}


def test_a_proxy_that_does_not_answer_has_not_counted_zero() -> None:
    with pytest.raises(Transient, match="does not answer"):
        traffic_of("slot slot05\n")
