"""`python -m tests.rig.google --port P --state DIR`: the rig's Google Cloud, in the foreground, until a signal."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from tests.rig.google.cloudrun import scripted
from tests.rig.google.server import running


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.rig.google", description=__doc__)
    parser.add_argument(
        "--port", type=int, required=True, help="127.0.0.1:PORT, for gRPC and REST alike; 0: a free one"
    )
    parser.add_argument("--state", type=Path, required=True, help="directory for keys and buckets")
    parser.add_argument("--step", type=float, default=0.3, help="seconds a write takes beside the start (0.3)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds until an idle instance is ended (60)")
    parser.add_argument("--scripted", action="store_true", help="run nothing: the image's name decides (scripted.py)")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    options.state.mkdir(parents=True, exist_ok=True)
    make = scripted.make if options.scripted else None
    with running(options.state, options.port, step=options.step, idle=options.idle, make=make) as google:
        print(f"answers on {google.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
