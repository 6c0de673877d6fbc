"""Events reach every sink in one order, without secrets; a sink that fails costs nobody else anything."""

from __future__ import annotations

import threading

import pytest

from shipper.model import Event, EvidenceFound, Remark, RunFinished, StageFinished, StageLog, StageProgress
from shipper.model.context import Reporter
from shipper.model.secret import Secret
from shipper.pipeline import Events, StageReporter
from shipper.pipeline.reporter import MAX_LINE
from tests.unit.pipeline.kitchen import ABOUT, Recorder, Weighing

pytestmark = pytest.mark.unit


class StoppedClock:
    def now(self) -> float:
        return 1_700_000_000.0

    def monotonic(self) -> float:
        return 0.0


class Broken(Recorder):
    name = "the run log"

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        raise OSError(28, "No space left on device")


def test_every_event_carries_time_and_run() -> None:
    told = Recorder()

    Events("01RUN", [told], StoppedClock()).emit(Remark(text="hello"))

    assert told.events == [Remark(text="hello", at=1_700_000_000.0, run="01RUN")]


def test_a_sink_that_fails_is_told_once_to_the_others_and_left_alone() -> None:
    first, broken, last = Recorder(), Broken(), Recorder()
    events = Events("01RUN", [first, broken, last], StoppedClock())

    events.emit(Remark(text="one"))
    events.emit(Remark(text="two"))

    assert len(broken.events) == 1
    for sink in (first, last):
        texts = [event.text for event in sink.of(Remark)]
        assert texts[0] == "one"
        assert texts[1].startswith("the run log stopped working and gets no more events: OSError: ")
        assert "No space left on device" in texts[1]
        assert texts[2:] == ["two"]


def test_secrets_are_nowhere_in_what_sinks_get() -> None:
    told = Recorder()
    events = Events("01RUN", [told], StoppedClock(), [Secret("token", b"hunter22")])
    reporter = StageReporter(events, "smoke")

    reporter.log("Authorization: hunter22")
    reporter.progress("asking with hunter22")
    reporter.remark("hunter22 was refused")
    reporter.evidence(Weighing(subject=ABOUT, status="failed", reason="hunter22"))
    events.emit(RunFinished(code=14, cause="smoke", message="hunter22", details=("a", "hunter22"), hint="hunter22"))

    assert len(told.events) == 5
    assert "hunter22" not in "".join(event.model_dump_json() for event in told.events)
    assert told.of(EvidenceFound)[0].evidence["reason"] == "***"


def test_what_has_not_changed_is_not_told_again_at_once() -> None:
    told = Recorder()
    reporter = StageReporter(Events("01RUN", [told], StoppedClock()), "deploy")

    for _ in range(30):
        reporter.progress("waiting for pods", 1, 3)
    reporter.progress("waiting for pods", 3, 3)
    reporter.progress("verifying what serves")

    assert [(event.text, event.done) for event in told.of(StageProgress)] == [
        ("waiting for pods", 1),
        ("waiting for pods", 3),
        ("verifying what serves", None),
    ]


def test_secrets_that_become_known_later_are_redacted_from_then_on() -> None:
    told = Recorder()
    events = Events("01RUN", [told], StoppedClock())
    events.add_secrets([Secret("token", b"hunter22")])

    events.emit(Remark(text="hunter22"))

    assert told.of(Remark)[0].text == "***"


def test_our_own_words_survive_a_secret_that_looks_like_one() -> None:
    told = Recorder()
    events = Events("01RUN", [told], StoppedClock(), [Secret("silly", b"done"), Secret("sillier", b"build")])

    events.emit(StageFinished(stage="build", status="done", seconds=1.0))

    assert (told.of(StageFinished)[0].stage, told.of(StageFinished)[0].status) == ("build", "done")


def test_a_secret_across_the_cut_of_a_long_line_is_redacted_first() -> None:
    told = Recorder()
    events = Events("01RUN", [told], StoppedClock(), [Secret("token", b"hunter22")])

    StageReporter(events, "smoke").log("x" * (MAX_LINE - 4) + "hunter22")

    assert "hunt" not in told.of(StageLog)[0].line


def test_all_sinks_see_the_same_order_whoever_speaks() -> None:
    one, two = Recorder(), Recorder()
    events = Events("01RUN", [one, two], StoppedClock())

    def speak(name: str) -> None:
        reporter = StageReporter(events, name)
        for number in range(200):
            reporter.log(str(number))

    threads = [threading.Thread(target=speak, args=(f"stage{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert one.events == two.events
    for name in {event.stage for event in one.of(StageLog)}:
        lines = [event.line for event in one.of(StageLog) if event.stage == name]
        assert lines == [str(number) for number in range(200)]


def test_after_closing_nothing_is_told_and_sinks_are_closed_once() -> None:
    told = Recorder()
    with Events("01RUN", [told], StoppedClock()) as events:
        pass
    events.close()
    events.emit(Remark(text="late"))

    assert (told.events, told.closed) == ([], 1)


def test_the_reporter_is_what_stages_know() -> None:
    assert isinstance(StageReporter(Events("", [], StoppedClock()), "x"), Reporter)
