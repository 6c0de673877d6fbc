"""Somebody else edits the Cloud Run service between our read and our write: at every write of every command.

An edit that leaves the traffic alone only makes our etag stale: the run reads again and goes on. Traffic that was
really moved is never overwritten by a release, whatever its exit code; a rollback takes it over.
"""

from __future__ import annotations

import pytest

from tests.e2e.cloud.scenarios import FIRST, IN_STEPS, ROLLBACK, SCENARIOS, SECOND, Scenario, at_every_write
from tests.e2e.cloud.tiny_cloud import TRANSPORTS, CloudPlaces, TinyCloud, Transport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MOVES_LAST = {SECOND.name: 2, IN_STEPS.name: 4, ROLLBACK.name: 1}
"""The write that gives the new revision all of the traffic; what comes after it writes the stamp alone."""


@pytest.mark.sample(2)
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", *SCENARIOS))
def test_a_stale_etag_does_not_stop_a_run(
    places: CloudPlaces, scenario: Scenario, transport: Transport, k: int
) -> None:
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    before = len(place.writes())
    place.cloud.hands.edit(place.cloud.project, at=k)
    ended = attempt.run()
    codes = [write["code"] for write in place.writes()[before:]]
    assert ended.code == 0, ended
    assert place.text() == attempt.wanted
    assert place.left_over() == []
    if (scenario, k) != (FIRST, 1):  # there was nothing to edit
        assert codes[k - 1] == "ABORTED", codes


@pytest.mark.sample(2)
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", SECOND, IN_STEPS))
def test_traffic_that_somebody_else_moved_is_not_overwritten_by_a_release(
    places: CloudPlaces, scenario: Scenario, transport: Transport, k: int
) -> None:
    theirs = _someone_elses(places.kept(transport))
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    before = len(place.writes())
    place.cloud.hands.edit(place.cloud.project, at=k, traffic={theirs: 100})
    ended = attempt.run()
    place.settled()
    serves = place.cloud.serves
    back = place.run(*place.rollback_words)  # for the next test, and because it takes over whatever it finds
    assert serves == {theirs: 100}, ended
    # Once all is proved it is too late to stop the run: it says that traffic is not as it left it, or ends well.
    assert ended.code in ((31, 20, 21, 22) if k <= MOVES_LAST[scenario.name] else (0, 20, 22, 24)), ended
    if k == 1:
        assert [write["code"] for write in place.writes()[before : before + 1]] == ["ABORTED"]
        assert ended.code == 31, "nothing of ours was written"
    assert back.code == 0, back
    assert place.cloud.serves != {theirs: 100}


@pytest.mark.sample(1)
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", ROLLBACK))
def test_a_rollback_takes_over_traffic_that_somebody_else_moves(
    places: CloudPlaces, scenario: Scenario, transport: Transport, k: int
) -> None:
    theirs = _someone_elses(places.kept(transport))
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    place.cloud.hands.edit(place.cloud.project, at=k, traffic={theirs: 100})
    ended = attempt.run()
    place.settled()
    if k <= MOVES_LAST[scenario.name]:
        assert ended.code == 0, ended
        assert place.text() == attempt.wanted
        return
    assert place.cloud.serves == {theirs: 100}, "after its own write it does not write over anybody's"
    assert ended.code in (0, 20, 22, 24), ended
    assert place.run(*attempt.once_more).code == 0
    assert place.text() == attempt.wanted


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, IN_STEPS, ROLLBACK], ids=lambda scenario: scenario.name)
def test_somebody_who_edits_before_each_write_stops_the_run_and_nothing_has_moved(
    places: CloudPlaces, scenario: Scenario, transport: Transport
) -> None:
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    place.cloud.hands.edit(place.cloud.project, at=0)
    ended = attempt.run()
    places.give_up(transport)  # there is no end to these edits
    assert ended.code == 20, ended
    assert "another writer" in ended.said
    assert place.text() == attempt.served
    assert place.left_over() == []


def _someone_elses(place: TinyCloud) -> str:
    """A revision that is ready and does not serve: somebody may think that it should."""
    place.served()
    idle = set(place.revisions()) - set(place.cloud.serves)
    if not idle:
        assert place.release(place.next_text()).code == 0
        idle = set(place.revisions()) - set(place.cloud.serves)
    return min(idle)
