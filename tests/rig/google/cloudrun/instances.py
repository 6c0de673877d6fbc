"""The rig's Cloud Run runs revisions: each one as a container of the Docker engine.

A revision has one instance at most, which stands for all that the real service would start; it takes as many requests
at a time as the template's concurrency says, and the others wait for at most ten seconds (then 429, as documented).
One without a minimum that nobody has asked for `idle_seconds` is ended with SIGTERM; the next request starts it again
and waits for it. With a minimum, an instance that ends is started again, at first after a second, then ever later.

Based on the container contract and https://cloud.google.com/run/docs/about-instance-autoscaling. Not verified against
the real service: how long it waits before it ends idle instances (up to 15 minutes; here 60 s), how often it restarts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import docker

from tests.rig.google.cloudrun import instances_images, instances_leftovers, instances_outcomes
from tests.rig.google.cloudrun.contract import OK, LogLine, Outcome, RunSpec, World
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.instances_revision import NoInstance, Revision
from tests.rig.google.cloudrun.instances_running import Instance

GRACE = 10  # seconds between SIGTERM and SIGKILL, as documented


def make(world: World, auth: instances_images.Auth | None = None) -> ContainerInstances:
    """Instances on the engine of DOCKER_HOST. `auth` gives the service agent's credentials for a registry's host."""
    return ContainerInstances(docker.from_env(timeout=120, max_pool_size=64), world, auth)


class ContainerInstances:
    """The contract's Instances, and what the router asks of them (`serving`, `timeout`)."""

    def __init__(self, client: docker.DockerClient, world: World, auth: instances_images.Auth | None = None) -> None:
        self._client = client
        self._world = world
        self._auth = auth
        self._revisions: dict[str, Revision] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        instances_leftovers.clear(client)
        self._minder = threading.Thread(target=self._mind, name="cloudrun minder", daemon=True)
        self._minder.start()

    def start(self, spec: RunSpec) -> Outcome:
        """Run the first instance of a revision and judge its start-up."""
        with self._lock:
            if self._closed.is_set():
                return instances_outcomes.cancelled(spec)
            revision = self._revisions.setdefault(spec.revision, Revision(spec, self._launch))
        return revision.ensure()

    def stop(self, revision: str) -> None:
        """End and forget a revision; a start under way ends early."""
        with self._lock:
            found = self._revisions.pop(revision, None)
        if found is not None:
            found.delete()

    def keep(self, revision: str, instances: int) -> None:
        """With a minimum the instance is there from now on; without one it may go when it is idle."""
        found = self._find(revision)
        if found is not None:
            found.minimum = instances
            if instances:
                threading.Thread(target=found.ensure, name=f"keep {found.spec.revision_id}", daemon=True).start()

    def logs(self, revision: str, lines: int) -> Sequence[LogLine]:
        """The last lines of all its containers, oldest first; none for a revision that was never started."""
        found = self._find(revision)
        return found.logs(lines) if found is not None else ()

    def running(self, revision: str) -> bool:
        """Whether an instance runs now, for tests of scaling to zero."""
        found = self._find(revision)
        return found is not None and found.is_running()

    def timeout(self, revision: str) -> float:
        """The seconds that a request to it may take."""
        found = self._find(revision)
        return found.spec.timeout if found is not None else 300.0

    @contextmanager
    def serving(self, revision: str) -> Iterator[tuple[str, int]]:
        """Where a request may go, while it is under way; waits for a start. NoInstance when there is nowhere."""
        found = self._find(revision)
        if found is None:
            raise NoInstance(503, f"{revision} was never started, or is deleted")
        with found.request() as address:
            yield address

    def close(self) -> None:
        """End everything at once."""
        self._closed.set()
        with self._lock:
            revisions = list(self._revisions.values())
            self._revisions.clear()
        for revision in revisions:
            revision.delete()
        self._minder.join()
        self._client.close()

    def _find(self, revision: str) -> Revision | None:
        with self._lock:
            return self._revisions.get(revision)

    def _launch(self, revision: Revision) -> Outcome:
        """A new instance for a revision that has none."""
        spec = revision.spec
        try:
            image = instances_images.fetch(self._client, spec.image, self._auth, first=not revision.ran)
            labels = instances_leftovers.labels(spec.revision)
            instance = Instance(self._client, spec, self._world, image, labels)
        except instances_images.ImageMissing:
            return instances_outcomes.image_missing(spec)
        except instances_images.ImageDenied:
            return instances_outcomes.image_denied(spec)
        except ApiError as error:
            return instances_outcomes.secret_refused(spec, error)
        revision.adopt(instance)
        outcome = instance.start()
        if revision.deleted:
            instance.remove()
            return instances_outcomes.cancelled(spec)
        return outcome

    def _mind(self) -> None:
        """End what is idle, start again what must be there."""
        pause = min(1.0, self._world.idle_seconds / 4)
        while not self._closed.wait(pause):
            with self._lock:
                revisions = list(self._revisions.values())
            for revision in revisions:
                if revision.wants_restart(time.monotonic()):
                    threading.Thread(target=revision.ensure, daemon=True).start()
                idle = revision.take_idle(time.monotonic() - self._world.idle_seconds)
                if idle is not None:
                    threading.Thread(target=idle.remove, args=(GRACE,), daemon=True).start()


__all__ = ["OK", "ContainerInstances", "NoInstance", "make"]
