"""What goes on after a write was answered: time passes, the container starts, the service settles, operations end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from google.cloud import run_v2
from google.longrunning.operations_pb2 import Operation

from tests.rig.google.cloudrun import revisions
from tests.rig.google.cloudrun.contract import Instances, Outcome, Router, RunSpec, World
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.kept import Kept
from tests.rig.google.cloudrun.reads import Reads
from tests.rig.google.cloudrun.settling import floors, settle


class Obstacles(Protocol):
    """What tests put in the way of the service itself (hands.py)."""

    def stuck(self, project: str) -> str:
        """ "": nothing; "operation": operations never end; "reconcile": nothing settles."""
        ...

    def gpu_quota(self, project: str) -> int | None: ...


class Carrying(Reads):
    """Carries writes out, each in a thread of its own. `step`: seconds a write takes beside the start."""

    def __init__(self, world: World, instances: Instances, router: Router, obstacles: Obstacles, step: float) -> None:
        super().__init__(instances)
        self._world, self._router, self._obstacles = world, router, obstacles
        self.step = step
        self._closing, self._keeping = threading.Event(), threading.Lock()

    def nudge(self) -> None:
        """Look at everything again: an obstacle is gone."""
        with self.lock:
            for kept in self._all():
                self._settle(kept)

    def close(self) -> None:
        """End what runs, and give the addresses back."""
        self._closing.set()
        with self.lock:
            for kept in self._all():
                self._router.close(str(kept.name))
        self._instances.close()

    def _thread(self, work: Callable[..., None], *args: Any) -> None:
        threading.Thread(target=work, args=args, daemon=True).start()

    def _carry_out(self, kept: Kept, generation: int, revision: run_v2.Revision | None) -> None:
        if not self._pass_time(kept):
            return
        outcome = None
        if revision is not None and self._wanted(kept, revision.name):
            outcome = self._start(revisions.run_spec(revision))
        with self.lock:
            kept.programmed = max(kept.programmed, generation)
            if revision is not None and outcome is not None and revision.name in kept.revisions:
                kept.outcomes[revision.name] = outcome
                revisions.conclude(kept.revisions[revision.name], outcome)
            self._settle(kept)
        if revision is not None and not self._wanted(kept, revision.name):
            self._instances.stop(revision.name)  # deleted while it started

    def _wanted(self, kept: Kept, revision: str) -> bool:
        with self.lock:
            alive = self._services.get(str(kept.name)) is kept and kept.deleting is None
            return alive and revision in kept.revisions

    def _pass_time(self, kept: Kept) -> bool:
        """Let the step pass, and for as long as the project is stuck; False when there is nothing left to do."""
        if self._closing.wait(self.step):
            return False
        while self._obstacles.stuck(kept.name.project) == "reconcile":
            if self._closing.wait(0.05) or self._services.get(str(kept.name)) is not kept:
                return False
        return True

    def _start(self, spec: RunSpec) -> Outcome:
        for field, ref in revisions.secret_refs(spec):
            try:
                self._world.secret(ref)
            except ApiError as error:
                words = f"{field}: {error.message}"
                return Outcome(False, "FAILED_PRECONDITION", "SECRETS_ACCESS_CHECK_FAILED", words, "SecretsAccessCheck")
        try:
            return self._instances.start(spec)
        except Exception as error:  # noqa: BLE001 - a part of the rig failed: said in the operation, not lost in a thread
            return Outcome(False, "INTERNAL", "INTERNAL", f"The rig could not run the revision: {error!r}")

    def _settle(self, kept: Kept) -> None:
        """Under the lock."""
        if self._services.get(str(kept.name)) is not kept or kept.deleting is not None:
            return
        whole = settle(kept, self._router)
        if whole.state != "pending" and self._obstacles.stuck(kept.name.project) != "operation":
            for generation in list(kept.running):
                operation, subject = kept.running.pop(generation), run_v2.Service.pb(kept.service)
                if whole.state == "ok":
                    self.operations.succeed(operation, subject)
                else:
                    self.operations.fail(operation, subject, whole.code, whole.message)
        self._thread(self._keep, kept)

    def _keep(self, kept: Kept) -> None:
        """Outside of the state's lock: instances may start. One at a time, so that the newest word is the last."""
        with self._keeping:
            with self.lock:
                least = floors(kept)
            for revision, instances in least.items():
                if self._wanted(kept, revision):
                    self._instances.keep(revision, instances)

    def _carry_out_delete(self, kept: Kept, operation: Operation) -> None:
        if not self._pass_time(kept):
            return
        with self.lock:
            self._supersede(kept)
            if self._services.get(str(kept.name)) is not kept:
                return  # wiped meanwhile, and perhaps there is a new one of that name
            del self._services[str(kept.name)]
            self._router.close(str(kept.name))
        for name in list(kept.revisions):
            self._instances.stop(name)
        self.operations.succeed(operation, run_v2.Service.pb(kept.service))

    def _carry_out_revision_delete(self, operation: Operation, revision: run_v2.Revision) -> None:
        if not self._closing.wait(self.step):
            self.operations.succeed(operation, run_v2.Revision.pb(revision))

    def _supersede(self, kept: Kept) -> None:
        """A newer write was accepted: operations before it end. Code and words are not verified."""
        for generation in list(kept.running):
            operation = kept.running.pop(generation)
            words = f"The operation on '{kept.name.service}' was superseded by a newer one."
            self.operations.fail(operation, run_v2.Service.pb(kept.service), "ABORTED", words)
