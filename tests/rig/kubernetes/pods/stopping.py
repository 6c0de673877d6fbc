"""Ending a container: preStop, then SIGTERM, then SIGKILL, all within one grace (kuberuntime_container.go)."""

from __future__ import annotations

import threading
import time

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import checks
from tests.rig.kubernetes.pods.runtime import Running
from tests.rig.kubernetes.pods.world import World

_LEAST = 2.0  # seconds for SIGTERM when the hook took all of the grace
_QUEUE_PROXY = 8022
"""Where Knative's hook waits for its queue-proxy to have answered everything; there is none here."""
_DRAIN = 1.0


def stop(world: World, pod: Object, host: str, spec: Object, running: Running, seconds: float) -> None:
    """Returns when it has ended. With no grace at all there is no hook either."""
    hook = (spec.get("lifecycle") or {}).get("preStop")
    began = time.monotonic()
    if hook and seconds > 0 and not running.ended.is_set():
        failed: list[str] = []
        thread = threading.Thread(target=lambda: _run(hook, host, spec, running, seconds, failed), daemon=True)
        thread.start()
        thread.join(seconds)
        if failed:
            world.events.write(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", spec["name"])
        seconds = max(_LEAST, seconds - (time.monotonic() - began))
    running.stop(seconds)


def _run(hook: Object, host: str, spec: Object, running: Running, seconds: float, failed: list[str]) -> None:
    said: str | None = None
    if "sleep" in hook:
        running.ended.wait(float(hook["sleep"]["seconds"]))
    elif "exec" in hook:
        said = running.execute(hook["exec"]["command"], seconds)
    elif "httpGet" in hook:
        port = checks.port_number(spec, hook["httpGet"]["port"])
        if port == _QUEUE_PROXY:
            running.ended.wait(_DRAIN)
        else:
            said = checks.http_get(hook["httpGet"], hook["httpGet"].get("host") or host, port, seconds)
    if said is not None:
        failed.append(said)
