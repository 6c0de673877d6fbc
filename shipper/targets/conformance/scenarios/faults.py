"""The platform answers with errors: every call, every error, once and for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipper.errors import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper.targets.conformance.here import CODES, Here, expect, told
from shipper.targets.conformance.rig import Ended
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.protocol import Finishes, KeysSecrets, Measures, Probes, Replaces, SplitsTraffic

ERRORS: tuple[type[PlatformError], ...] = (Transient, Denied, Conflict, NotFound, Invalid)


def failing(name: str, error: PlatformError, *, always: bool) -> Callable[[str, Callable[[], Any]], Any]:
    """For `around`: the call of this name raises, the first time or each time."""
    left = [float("inf") if always else 1]

    def around(called: str, call: Callable[[], Any]) -> Any:
        if called == name and left[0] > 0:
            left[0] -= 1
            raise error
        return call()

    return around


def failing_after(name: str, error: PlatformError) -> Callable[[str, Callable[[], Any]], Any]:
    """For `around`: the first call of this name is carried out, and raises all the same."""
    left = [1]

    def around(called: str, call: Callable[[], Any]) -> Any:
        result = call()
        if called == name and left:
            left.clear()
            raise error
        return result

    return around


def each_error_of(here: Here, name: str) -> None:
    """The call fails in each way in turn; what serves is what the exit code says, and the next release mends it."""
    serving = "base"
    expect(here.release(serving), 0)
    for error in ERRORS:
        for always in (False, True):
            text = f"{error.__name__} {'always' if always else 'once'}"
            ended = here.release(text, around=failing(name, error(f"injected into {name}"), always=always))
            serving = _judged(here, ended, before=serving, text=text)
    expect(here.release("after all that"), 0)
    here.answers("after all that")
    here.lost_nothing()


def _judged(here: Here, ended: Ended, *, before: str, text: str) -> str:
    assert ended.code in CODES, f"{text}: not an exit code of the list: {told(ended)}"
    if ended.code == 22:  # it says that a person is needed, so anything may serve, but something must
        return here.answers_one_of(before, text)
    serving = text if ended.code in (0, 24) else before
    here.answers(serving)
    return serving


@scenario(exhaustive=True)
def errors_of_observe(here: Here) -> None:
    """Reading the platform fails."""
    each_error_of(here, "observe")


@scenario(needs=[SplitsTraffic], exhaustive=True)
def errors_of_create(here: Here) -> None:
    """Making a revision fails."""
    each_error_of(here, "create")


@scenario(needs=[SplitsTraffic], exhaustive=True)
def errors_of_shift(here: Here) -> None:
    """Moving traffic fails."""
    each_error_of(here, "shift")


@scenario(needs=[Replaces], exhaustive=True)
def errors_of_replace(here: Here) -> None:
    """Replacing fails."""
    each_error_of(here, "replace")


@scenario(needs=[Replaces])
def the_answer_to_an_abort_is_lost(here: Here) -> None:
    """Putting back was carried out and nobody heard of it: asked again, it takes nothing away from what served.

    With one release that was ever verified, and with an older one that must not come instead.
    """
    for serving in ("first", "second"):
        expect(here.release(serving), 0)
        heard = failing_after("abort", Transient("connection reset by peer"))
        ended = expect(here.release(f"never after {serving}", kind="never-ready", around=heard), 20, 21)
        assert ended.deployment is None
        here.answers(serving)
        assert list(here.serves().values()) == [100], f"it is still at work: {here.serves()}"
    expect(here.release("third"), 0)
    here.answers("third")
    here.lost_nothing()


@scenario(needs=[Replaces, Finishes], exhaustive=True)
def errors_of_finish(here: Here) -> None:
    """Giving the traffic to what is ready fails."""
    each_error_of(here, "finish")


@scenario(exhaustive=True)
def errors_of_progress(here: Here) -> None:
    """Following a revision fails."""
    each_error_of(here, "progress")


@scenario(needs=[Probes], exhaustive=True)
def errors_of_probe(here: Here) -> None:
    """Asking a revision without traffic fails."""
    each_error_of(here, "probe")


@scenario(exhaustive=True)
def errors_of_retire(here: Here) -> None:
    """Clearing away what served before fails: the release serves all the same."""
    each_error_of(here, "retire")


@scenario(exhaustive=True)
def errors_of_revisions(here: Here) -> None:
    """Listing revisions fails."""
    each_error_of(here, "revisions")


@scenario(exhaustive=True)
def errors_of_records(here: Here) -> None:
    """Reading the platform's records fails."""
    each_error_of(here, "records")


@scenario(exhaustive=True)
def errors_of_the_stamp(here: Here) -> None:
    """Writing the stamp alone fails."""
    each_error_of(here, "write_stamp")


@scenario(needs=[SplitsTraffic, Measures], strategy="blue-green", exhaustive=True)
def errors_of_measure(here: Here) -> None:
    """Reading the counters fails during a bake time."""
    here.sets(rollout={"strategy": "blue-green", "bake": FAST_BAKE})
    each_error_of(here, "measure")


@scenario(needs=[KeysSecrets], exhaustive=True)
def errors_of_the_secret_key(here: Here) -> None:
    """The place's key for secrets cannot be read."""
    here.knows(LICENCE="a value")
    each_error_of(here, "secret_key")


@scenario(exhaustive=True)
def errors_in_a_rollback(here: Here) -> None:
    """Every call of a rollback fails once in each way: it goes back, or says truly that it has not."""
    names = ("observe", "records", "restorable", "create", "shift", "replace", "progress", "write_stamp", "retire")
    for name in names:
        for error in ERRORS:
            old, new = f"old {name} {error.__name__}", f"new {name} {error.__name__}"
            expect(here.release(old), 0)
            expect(here.release(new), 0)
            ended = here.rollback(around=failing(name, error(f"injected into {name}"), always=False))
            _judged(here, ended, before=new, text=old)
    here.lost_nothing()
