"""One container of a pod: pulled, started, probed, started again as the restart policy says, and ended.

From pkg/kubelet/kuberuntime/{kuberuntime_manager,kuberuntime_container}.go and pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import environment, images_pulled, security, stopping
from tests.rig.kubernetes.pods.backoff import BackOff
from tests.rig.kubernetes.pods.prober import Prober
from tests.rig.kubernetes.pods.runtime import Exit, Image, Plan, Running, StartFailed, Trouble
from tests.rig.kubernetes.pods.statuses import Seen, running, terminated, waiting
from tests.rig.kubernetes.pods.volumes import Volumes
from tests.rig.kubernetes.pods.world import World


class Owner(Protocol):
    """The pod, as its containers see it."""

    pod: Object
    ip: str
    volumes: Volumes
    stopping: threading.Event

    def publish(self) -> None:
        """Write the pod's status: a container's state changed."""
        ...

    def termination_log(self, container: str, attempt: int) -> str:
        """A new, empty file for its termination message."""
        ...


class ContainerKeeper:
    """`seen` is what the status shows; `run` returns when the container is not to be started any more."""

    def __init__(self, world: World, owner: Owner, spec: Object, *, init: bool, policy: str) -> None:
        self._world, self._owner, self._init, self._policy = world, owner, init, policy
        self.runtime, self._spec = world.cast(owner.pod, spec)
        first = "PodInitializing" if owner.pod["spec"].get("initContainers") and not init else "ContainerCreating"
        sidecar = init and spec.get("restartPolicy") == "Always"
        self.seen = Seen(spec["name"], spec["image"], waiting(first), sidecar=sidecar)
        self.current: Running | None = None
        self.previous: Running | None = None
        self.started = threading.Event()
        """Set once it has started as its startup probe sees it: what waits for a sidecar."""
        self._wake = threading.Event()
        self._unhealthy = ""
        self._crashes = BackOff(lambda: world.factor(owner.pod["metadata"]["namespace"]))

    def run(self) -> None:
        """Until it has ended for good, or the pod stops."""
        container = self.current
        while not self._owner.stopping.is_set():
            ended = self._once(container)
            if ended is None or not self._again(ended):
                return
            container = None

    def wake(self) -> None:
        """Look again: the pod stops, a probe failed, or the container ended."""
        self._wake.set()

    def adopt(self, status: Object | None) -> None:
        """Take over from an earlier process of ours what the status says and what still runs."""
        if status is None:
            return
        seen = self.seen
        seen.restarts, seen.last = int(status["restartCount"]), status.get("lastState") or {}
        seen.image_id, seen.container_id = status.get("imageID", ""), status.get("containerID", "")
        if "terminated" in status["state"]:
            seen.state = status["state"]
            return
        found = self.runtime.find(self._owner.pod, self._spec["name"])
        if found is not None:
            self.current, seen.restarts = found
            seen.state, seen.ready, seen.started = status["state"], status["ready"], bool(status.get("started"))
            seen.container_id = self.current.id
            if seen.started:
                self.started.set()
        elif "running" in status["state"]:
            lost = Exit(137, "ContainerStatusUnknown", message="The container is gone; the node started again")
            seen.last = {"terminated": {"exitCode": lost.code, "reason": lost.reason, "message": lost.message}}

    def stop(self, seconds: float) -> None:
        """The pod is going: preStop, SIGTERM, SIGKILL, within its grace."""
        if self.current is not None and not self.current.ended.is_set():
            self._event("Normal", "Killing", f"Stopping container {self._spec['name']}")
            stopping.stop(self._world, self._owner.pod, self._owner.ip, self._spec, self.current, seconds)
            self._end(self.current)

    def retire(self, seconds: float) -> None:
        """The pod is over: end this sidecar, and start it no more."""
        self._policy = "Never"
        self.stop(seconds)

    def _once(self, container: Running | None) -> Exit | None:
        """From the pull to the exit; None when the pod stopped before that."""
        if container is None:
            started = self._start()
            if started is None or isinstance(started, Exit):
                return started
            container = started
        self._unhealthy = ""
        self._watch(container)
        while not container.ended.is_set() and not self._owner.stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            if self._unhealthy and not container.ended.is_set():
                self._event("Normal", "Killing", self._unhealthy)
                grace = float(self._owner.pod["spec"].get("terminationGracePeriodSeconds", 30))
                stopping.stop(self._world, self._owner.pod, self._owner.ip, self._spec, container, grace)
        return None if self._owner.stopping.is_set() else self._end(container)

    def _start(self) -> Running | Exit | None:
        """Try until it starts; an Exit when the runtime could not start it, None when the pod stops."""
        while not self._owner.stopping.is_set():
            image = self._image()
            if image is None:
                return None
            try:
                return self._launch(image)
            except StartFailed as failed:
                self._event("Warning", failed.event, f"Error: {failed.message}")
                self.seen.restarts = self._attempt()
                self.seen.state = waiting(failed.reason, failed.message)
                self.seen.last = terminated(Exit(128, "StartError", message=failed.message), datetime.now(UTC), "")
                self._owner.publish()
                return Exit(128, "StartError", message=failed.message)
            except Trouble as trouble:
                self._event("Warning", trouble.event, f"Error: {trouble.message}")
                self.seen.state = waiting(trouble.reason, trouble.message)
                self._owner.publish()
                self._owner.stopping.wait(images_pulled.SYNC * self._factor())
        return None

    def _launch(self, image: Image) -> Running:
        pod, spec, seen = self._owner.pod, self._spec, self.seen
        env = environment.resolve(pod, spec, self._owner.ip, self._world.lookups)
        security.verify_non_root(pod, spec, image.user)
        attempt = self._attempt()
        plan = Plan(
            pod=pod,
            container=spec,
            attempt=attempt,
            image=image,
            env=env,
            mounts=self._owner.volumes.mounts(spec, env),
            user=security.user(pod, spec),
            groups=security.groups(pod),
            termination_log=self._owner.termination_log(spec["name"], attempt),
        )
        self._keep_one_dead()
        started = self.runtime.start(plan)
        self._event("Normal", "Created", f"Created container: {spec['name']}")
        self._event("Normal", "Started", f"Started container {spec['name']}")
        seen.last = seen.state if seen.over else seen.last
        seen.restarts, seen.container_id = attempt, started.id
        seen.state = running(started.started)
        seen.started = "startupProbe" not in spec
        seen.ready = seen.started and "readinessProbe" not in spec
        self.current = started
        if seen.started:
            self.started.set()
        self._owner.publish()
        return started

    def _attempt(self) -> int:
        return self.seen.restarts + (1 if self.current is not None or self.seen.last else 0)

    def _keep_one_dead(self) -> None:
        """For `logs --previous`; the one before that goes."""
        if self.current is not None and self.current is not self.previous:
            if self.previous is not None:
                self.previous.remove()
            self.previous = self.current

    def _image(self) -> Image | None:
        """The image, pulled with the kubelet's back-off; None when the pod stops first."""
        puller = images_pulled.Puller(self.runtime, self._spec, self._event, self._factor)
        for found in puller.attempts():
            if isinstance(found, Image):
                self.seen.image_id = found.id
                return found
            self.seen.state = waiting(found.reason, found.message)
            self._owner.publish()
            if self._owner.stopping.wait(puller.pause):
                return None
        return None

    def _watch(self, container: Running) -> None:
        threading.Thread(target=self._wait, args=(container,), daemon=True).start()
        if not container.ended.is_set():
            Prober(self._spec, container, self._owner.ip, self._heard, self._said).start()

    def _wait(self, container: Running) -> None:
        container.ended.wait()
        self._wake.set()

    def _heard(self, kind: str, passed: bool, said: str) -> None:
        """A probe's threshold is reached."""
        seen = self.seen
        if kind == "readiness":
            seen.ready = passed
        elif passed and kind == "startup":
            seen.started = True
            seen.ready = "readinessProbe" not in self._spec
            self.started.set()
        elif not passed:
            self._unhealthy = f"Container {self._spec['name']} failed {kind} probe, will be restarted"
            self._wake.set()
            return
        else:
            return
        self._owner.publish()

    def _said(self, kind: str, why: str) -> None:
        self._event("Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {why}")

    def _end(self, container: Running) -> Exit:
        ended = container.exit()
        self.seen.state = terminated(ended, container.started, container.id)
        self.seen.ready = self.seen.started = False
        self._owner.publish()
        return ended

    def _again(self, ended: Exit) -> bool:
        """Whether to start it again; waits out the back-off first."""
        if self._policy == "Never" or (self._policy == "OnFailure" and ended.code == 0):
            if ended.reason == "StartError":
                self.seen.state = self.seen.last
                self.seen.last = {}
                self._owner.publish()
            return False
        ran = time.time() - self.current.started.timestamp() if self.current is not None else 0.0
        seconds = self._crashes.seconds
        pause = self._crashes.failed(ran)
        if not pause:
            return True
        metadata = self._owner.pod["metadata"]
        who = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        name = self._spec["name"]
        self._event("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {who}")
        self.seen.last = self.seen.state if self.seen.over else self.seen.last
        said = f"back-off {_duration(seconds)} restarting failed container={name} pod={who}"
        self.seen.state = waiting("CrashLoopBackOff", said)
        self._owner.publish()
        return not self._owner.stopping.wait(pause)

    def _event(self, kind: str, reason: str, message: str) -> None:
        self._world.events.write(self._owner.pod, kind, reason, message, self._spec["name"], init=self._init)

    def _factor(self) -> float:
        return self._world.factor(self._owner.pod["metadata"]["namespace"])


def _duration(seconds: float) -> str:
    """As Go writes it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
