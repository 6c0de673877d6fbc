"""Following a revision until it is ready, or until it is clear that it never will be; and saying why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator

from shipper.model import Dossier, Progress, Revision, Settings
from shipper.targets import PlatformError
from shipper.targets.diagnosis import shorten
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.dossiers import dossier_of, wants_log
from shipper_targets.kubernetes.findings import Finding, Patience
from shipper_targets.kubernetes.instances import Instances
from shipper_targets.kubernetes.logs import Logs, last_lines
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.verdicts import Facts, rollout_finding
from shipper_targets.kubernetes.watching import Watching, facts_now

STEP = 0.4
"""Seconds after which a step comes although nothing has changed."""

LOG_LINES = 40


class Readiness:
    """Of one service's revisions. `settings` say what its container should do; `coming` names what somebody else makes
    of a revision's manifests, as a pod needs it.
    """

    def __init__(
        self,
        api: Api,
        instances: Instances,
        logs: Logs,
        settings: Settings,
        own: KubernetesSettings,
        coming: Callable[[Revision], Collection[str]] = lambda _: (),
    ) -> None:
        self._api = api
        self._instances = instances
        self._logs = logs
        self._settings = settings
        self._own = own
        self._coming = coming

    def follow(self, revision: Revision) -> Generator[Progress, None, None]:
        """Until every pod of it is there and available, or something cannot heal. Raises NotFound, Denied."""
        patience, earlier, coming = Patience(), None, self._coming(revision)
        found = Finding("waiting")
        with Watching(self._api, self._instances.workload(revision)) as watching:
            while found.state == "waiting":
                watching.wait(STEP)
                facts = watching.facts()
                if facts is None:
                    yield Progress(state="waiting", reason=watching.trouble or "looking")
                    continue
                # A ReplicaSet that comes back still has the pods that nodes threw out in its former life.
                earlier = facts.thrown_out if earlier is None else earlier
                found = patience.judged(self._judged(facts.without(earlier), revision, coming))
                if found.state == "waiting":
                    yield Progress(state="waiting", reason=watching.trouble or found.reason)
        # Nothing is watched any more: whoever keeps what failed keeps this as well.
        yield self._step(found)

    def diagnose(self, revision: Revision) -> Dossier:
        """What is known now. Never raises."""
        try:
            facts = facts_now(self._api, self._instances.workload(revision))
            found = self._judged(facts, revision, self._coming(revision))
        except PlatformError as error:
            return Dossier(cause="unknown", reason=f"the platform could not be asked: {error}")
        if found.state == "ready":
            return Dossier(cause="not-ready", reason=f"{revision.name} is ready by now")
        return self.explained(found)

    def explained(self, finding: Finding) -> Dossier:
        """With the container's own last lines, where these say more. Never raises."""
        log: list[str] = []
        problem = ""
        if wants_log(finding):
            log, problem = last_lines(self._logs, finding.pod, finding.container, LOG_LINES, previous=finding.previous)
        dossier = dossier_of(finding, self._settings, log, namespace=self._api.namespace)
        hint = "; ".join(part for part in (dossier.hint, shorten(problem, 160)) if part)
        return dossier.model_copy(update={"hint": hint})

    def _judged(self, facts: Facts, revision: Revision, coming: Collection[str]) -> Finding:
        return rollout_finding(facts, release=revision.release, window=self._own.unschedulable_window, coming=coming)

    def _step(self, finding: Finding) -> Progress:
        if finding.state != "failed":
            return Progress(state=finding.state, reason=finding.reason)
        dossier = self.explained(finding)
        return Progress(state="failed", reason=dossier.reason, dossier=dossier)
