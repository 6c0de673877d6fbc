"""A command in the new image before anything of it gets traffic: `[rollout] before`."""

from __future__ import annotations

from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.rig import RunsCommands
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import RunsOnce


@scenario(needs=[RunsOnce, RunsCommands])
def a_command_is_run_before_the_release(here: Here) -> None:
    """The first release and later ones; nothing of it is left, and a rollback does not run it."""
    _runs_before(here, 0)
    assert any("was run in the new image" in remark for remark in expect(here.release("one"), 0).remarks)
    expect(here.release("two"), 0)
    back = expect(here.rollback(), 0)
    assert not any("was run" in remark for remark in back.remarks), back.remarks
    here.answers("one")
    assert not here.place.leaks()


@scenario(needs=[RunsOnce, RunsCommands])
def a_command_that_fails_ends_the_release(here: Here) -> None:
    """Before anything of it is started: what served serves, and the status is named."""
    expect(here.release("one"), 0)
    _runs_before(here, 7)
    ended = expect(here.release("two"), 20)
    assert ended.cause == "before", ended
    assert "status 7" in ended.message, ended.message
    here.answers("one")
    assert not here.place.leaks()
    revisions = [found.weight for found in here.observe().revisions if found.state != "stopped"]
    assert revisions == [100], here.observe().revisions


def _runs_before(here: Here, status: int) -> None:
    assert isinstance(here.place, RunsCommands)
    here.sets(rollout={"before": tuple(here.place.command(status))})
