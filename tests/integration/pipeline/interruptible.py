"""A run with a real child that starts children of its own; a test sends it signals.

python interruptible.py build      a stage whose child runs until it is killed
python interruptible.py restore    a stage that puts something back when it is cancelled, which takes half a second
python interruptible.py deaf       a stage that listens to nobody, and may move traffic
python interruptible.py stubborn   one that listens to nobody, and moves none
"""

from __future__ import annotations

import sys
import time

from shipper.errors import Interrupted, NotPutBack, ShipperError
from shipper.model import Event, Product, ServiceSettings
from shipper.model.context import Cancellation
from shipper.pipeline import Events, RunCancellation, WallClock, assemble, install_signals, run
from shipper.pipeline.stage import stage
from shipper.processes import run as run_child

FAMILY = "sleep 1000 & echo child $!; sleep 1000 & echo child $!; echo child $$; echo ready; wait"


class Goal(Product):
    pass


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def build(service: ServiceSettings, cancel: Cancellation) -> Goal:
    run_child(["sh", "-c", FAMILY], cancel=cancel, on_line=lambda _, line: say(line))
    return Goal()


@stage(unfinished=NotPutBack)
def restore(service: ServiceSettings, cancel: Cancellation) -> Goal:
    say("ready")
    cancel.wait(60)
    say("told to stop")
    run_child(["sleep", "0.5"])
    say("put back")
    raise Interrupted("interrupted, what served before serves")


def stubborn(service: ServiceSettings, cancel: Cancellation) -> Goal:
    say("ready")
    with cancel.on_cancel(lambda: say("told to stop")):
        time.sleep(60)
    return Goal()


@stage(unfinished=NotPutBack)
def deaf(service: ServiceSettings, cancel: Cancellation) -> Goal:
    say("ready")
    with cancel.on_cancel(lambda: say("told to stop")):
        time.sleep(60)
    return Goal()


class Silent:
    def __call__(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


def main() -> int:
    chosen = {"build": build, "restore": restore, "deaf": deaf, "stubborn": stubborn}[sys.argv[1]]
    pipeline = assemble("interruptible", goal=Goal, seeds=[ServiceSettings], stages=[chosen])
    clock = WallClock()
    with install_signals(RunCancellation()) as cancel:
        try:
            run(
                pipeline,
                seeds=[ServiceSettings(service="iris", root="/")],
                services={},
                events=Events("01RUN", [Silent()], clock),
                cancel=cancel,
                clock=clock,
            )
        except ShipperError as error:
            say(f"error: {error.message}")
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
