"""Python imports this before anything else where its folder is on PYTHONPATH: the wall clock is CLOCK_OFF seconds off.

The monotonic clock stays as it is, as it would on another machine. (libfaketime breaks time.sleep of Python 3.11.)
"""

import os
import time

_OFF = float(os.environ.get("CLOCK_OFF", "0"))
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _OFF
time.time_ns = lambda: _time_ns() + int(_OFF * 1e9)
