"""The platform answers with errors: every call, every error, once and for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shipper.errors import Conflict, Denied, Invalid, NotFound, PlatformError, Transient
from shipper.targets.conformance.here import CODES, Here, expect, told
from shipper.targets.conformance.rig import Ended
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.conformance.watched import Around
from shipper.targets.protocol import Finishes, KeysSecrets, Measures, Probes, Replaces, SplitsTraffic

ERRORS: tuple[type[PlatformError], ...] = (Transient, Denied, Conflict, NotFound, Invalid)

LOST: tuple[type[PlatformError], ...] = (Transient, Conflict, NotFound)
"""What a call that was carried out may end with all the same: nobody heard its answer, or a client made it again and
met its own write. A platform that says no (Denied, Invalid) has done nothing.
"""

NOTHING_WRITTEN = (2, 16, 30, 31, 32, 33)
"""Codes that say so (docs/reference/exit-codes.md)."""


def failing(name: str, error: PlatformError, *, always: bool) -> Around:
    """For `around`: the call of this name raises, the first time or each time."""
    left = [float("inf") if always else 1]

    def around(called: str, call: Callable[[], Any]) -> Any:
        if called == name and left[0] > 0:
            left[0] -= 1
            raise error
        return call()

    return around


def failing_after(name: str, error: PlatformError, *, always: bool) -> Around:
    """For `around`: the call of this name is carried out and raises all the same, the first time or each time."""
    left = [float("inf") if always else 1]

    def around(called: str, call: Callable[[], Any]) -> Any:
        result = call()
        if called == name and left[0] > 0:
            left[0] -= 1
            raise error
        return result

    return around


@dataclass(frozen=True)
class Fault:
    """`lost`: the call is carried out, and whoever made it hears otherwise."""

    told: str
    around: Around
    lost: bool


def each_fault_of(name: str) -> Iterator[Fault]:
    """Every error before the call is carried out, and after it those that a lost answer shows as; once and for good."""
    for lost, errors in ((False, ERRORS), (True, LOST)):
        for error in errors:
            for always in (False, True):
                told = f"{error.__name__} {'after' if lost else 'before'} {name}, {'always' if always else 'once'}"
                fails = failing_after if lost else failing
                yield Fault(told, fails(name, error(f"injected: {told}"), always=always), lost)


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
        heard = failing_after("abort", Transient("connection reset by peer"), always=False)
        ended = expect(here.release(f"never after {serving}", kind="never-ready", around=heard), 20, 21)
        assert ended.deployment is None
        here.answers(serving)
        assert list(here.serves().values()) == [100], f"it is still at work: {here.serves()}"
    expect(here.release("third"), 0)
    here.answers("third")
    here.lost_nothing()


@scenario(needs=[Replaces], exhaustive=True)
def errors_of_abort(here: Here) -> None:
    """Putting back what never became ready fails, or its answer is lost: what served serves, the next release too."""
    expect(here.release("base"), 0)
    serving = "base"
    for fault in each_fault_of("abort"):
        ended = here.release(f"never, {fault.told}", kind="never-ready", around=fault.around)
        assert ended.code in ((20,) if fault.lost else (20, 22)), f"{fault.told}: {told(ended)}"
        here.answers(serving)
        if ended.code == 20:
            _at_rest(here, fault)
        serving = f"mended, {fault.told}"
        _mended(here, here.release(serving), serving, fault)


@scenario(needs=[Replaces], exhaustive=True)
def errors_of_abort_in_the_next_release(here: Here) -> None:
    """Ending what a dead run left under way fails, or its answer is lost: the same release again does the work."""
    expect(here.release("base"), 0)
    serving = "serving"
    like = expect(here.release(serving, in_process=True), 0)
    for fault in each_fault_of("abort"):
        here.dies_while_starting(f"never, {fault.told}", like)
        serving = _ends_what_was_left(here, here.release, serving, f"wanted, {fault.told}", fault)


@scenario(needs=[Replaces], exhaustive=True)
def errors_of_abort_in_the_next_rollback(here: Here) -> None:
    """The same in a rollback: what served all the time is well, and stays."""
    expect(here.release("base"), 0)
    like = expect(here.release("serving", in_process=True), 0)
    for fault in each_fault_of("abort"):
        here.dies_while_starting(f"never, {fault.told}", like)
        _ends_what_was_left(here, lambda _, **how: here.rollback(**how), "serving", "serving", fault)


def _ends_what_was_left(here: Here, run: Callable[..., Ended], serving: str, wanted: str, fault: Fault) -> str:
    """`run(wanted)` with the fault, then without it when it has not done its work. Returns what serves."""
    stamp = here.observe().stamp
    ended = run(wanted, around=fault.around)
    assert ended.code in ((0,) if fault.lost else CODES), f"{fault.told}: {told(ended)}"
    if ended.code in NOTHING_WRITTEN:
        assert here.observe().stamp == stamp, f"{fault.told}: it had written: {told(ended)}"
    if ended.code:
        here.answers(serving)
        ended = run(wanted)
    _mended(here, ended, wanted, fault)
    return wanted


def _mended(here: Here, ended: Ended, text: str, fault: Fault) -> None:
    """This run has done the work that another one could not."""
    assert ended.code == 0, f"after {fault.told}: {told(ended)}"
    here.answers(text)
    _at_rest(here, fault)
    here.lost_nothing()


def _at_rest(here: Here, fault: Fault) -> None:
    in_flight = here.observe().in_flight
    assert in_flight is None, f"{fault.told}: still under way: {in_flight}"


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
