"""A command that is run once in a release's image, beside the service: `[rollout] before`, as a Job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from shipper.model import Release
from shipper.model.context import Cancellation, Reporter
from shipper.targets import Conflict, Invalid, NotFound, PlatformError, Transient
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.feeds import Feed, Feeds
from shipper_targets.kubernetes.findings import Patience, waiting
from shipper_targets.kubernetes.job_render import ONCE, OnceRun, once_run, owned_by_job
from shipper_targets.kubernetes.kinds import EVENT, JOB, POD, SERVICE_ACCOUNT
from shipper_targets.kubernetes.logs import Logs
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.pods import Container, containers
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import (
    Object,
    at,
    by_age,
    condition,
    is_true,
    mapping,
    name_of,
    number,
    text,
    uid_of,
)
from shipper_targets.kubernetes.verdicts import passing_refusal
from shipper_targets.kubernetes.verdicts_pods import pod_finding
from shipper_targets.kubernetes.watching import POD_EVENTS, by_pod

STEP = 0.2
_OVER = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")
"""Conditions of a Job whose command has ended; the last two come first, while its pod is still counted."""

LOST_PATIENCE = 5.0
"""Seconds for a pod's end to be told after its Job's."""

LAST_LINES = 10.0
"""Seconds that the end of the log is waited for when the command has ended."""


class Jobs:
    """Such commands of one service. Needs create, patch, watch and delete on Jobs, and pods/log."""

    def __init__(
        self,
        api: Api,
        logs: Logs,
        own: KubernetesSettings,
        base: str,
        report: Reporter | None,
        cancel: Cancellation | None,
    ) -> None:
        self._api = api
        self._logs = logs
        self._own = own
        self._base = base
        self._report = report
        self._cancel = cancel

    def run(self, release: Release, whole: Rendered, command: Sequence[str]) -> int:
        """Its exit status; its output is told line by line. The Job is gone afterwards, also when cancelled.

        Raises Conflict while a command of an earlier run is still at work, Invalid when it can never start.
        """
        self._clear()
        wanted = once_run(whole, release, command, base=self._base, gpu_resource=self._own.gpu_resource)
        with self._job(wanted) as job, OfJob(self._api, job) as feeds:
            return self._followed(feeds, wanted.container)

    @contextmanager
    def _job(self, wanted: OnceRun) -> Iterator[Object]:
        name = text(wanted.job, "metadata", "name")
        if wanted.account is not None and self._api.find(SERVICE_ACCOUNT, wanted.account.name) is None:
            with suppress(Conflict):  # somebody else was quicker
                self._api.create(SERVICE_ACCOUNT, wanted.account.body)
        # Suspended: where the answer is lost, what is left behind does nothing, and the next run clears it away.
        job = self._api.create(JOB, wanted.job)
        try:
            for one in wanted.copies:
                self._api.create(self._api.kind_of(one["apiVersion"], one["kind"]), owned_by_job(one, job))
            self._api.merge(JOB, name, {"spec": {"suspend": False}})
            yield job
        finally:
            self._remove(name, uid_of(job))

    def _remove(self, name: str, uid: str) -> None:
        try:
            self._api.delete(JOB, name, uid=uid)
        except (Conflict, NotFound):
            return
        except PlatformError as error:
            if self._report is not None:
                self._report.remark(f"Job {name} could not be removed ({error}); it goes by itself when it has ended")

    def _followed(self, feeds: OfJob, container: str) -> int:
        patience, reading = Patience(), _Reading(self._logs, self._tell)
        while True:
            if self._cancel is not None:
                self._cancel.check()
            feeds.wait(STEP)
            pod = feeds.pod()
            found = _container(pod, container) if pod is not None else None
            if pod is not None and found is not None and (found.is_running or found.ended):
                reading.begin(name_of(pod), container)
            ended = mapping(found.status, "state", "terminated") if found is not None else {}
            if ended:
                reading.finish()
                return self._status(ended)
            feeds.check(patience, self._own.unschedulable_window)

    def _status(self, ended: Object) -> int:
        if text(ended, "reason") == "OOMKilled":
            self._tell("the command ran out of memory: see [run] memory")
        elif text(ended, "message"):
            self._tell(text(ended, "message"))
        return number(ended, "exitCode", default=1)

    def _tell(self, line: str) -> None:
        if self._report is not None:
            self._report.log(line)

    def _clear(self) -> None:
        """What killed runs left; one that is still at work is not disturbed, and not overlapped."""
        for job in self._api.list(JOB, labels=f"{ONCE}={self._base}").items:
            if not (any(is_true(job, kind) for kind in _OVER) or at(job, "spec", "suspend") is True):
                error = Conflict(f"a command that an earlier run started is still at work: Job {name_of(job)}")
                error.hint = "wait until it ends; where its run is dead, `shipper status --repair` ends it"
                raise error
            self._api.delete(JOB, name_of(job), uid=uid_of(job), propagation="Foreground")
            self._wait_until_gone(name_of(job), uid_of(job))

    def _wait_until_gone(self, name: str, uid: str) -> None:
        """The name is free when the old one has gone with its pods."""
        feed = Feed(JOB, fields=f"metadata.name={name}")
        with Feeds(self._api) as feeds:
            feeds.start(feed)
            while True:
                if self._cancel is not None:
                    self._cancel.check()
                feeds.wait(STEP)
                known = feeds.known().get(feed)
                if known is not None and all(uid_of(one) != uid for one in known):
                    return


class OfJob(Feeds):
    """The Job, its pod and what is said about both."""

    def __init__(self, api: Api, job: Object) -> None:
        super().__init__(api)
        name = name_of(job)
        self._uid = uid_of(job)
        self._job = Feed(JOB, fields=f"metadata.name={name}")
        self._pods = Feed(POD, labels=f"batch.kubernetes.io/controller-uid={self._uid}")
        self._pod_events = Feed(EVENT, fields=POD_EVENTS, optional=True)
        self._job_events = Feed(EVENT, fields=f"involvedObject.kind=Job,involvedObject.name={name}", optional=True)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """All of them."""
        return self._job, self._pods, self._pod_events, self._job_events

    def __enter__(self) -> OfJob:
        for feed in self.feeds:
            self.start(feed)
        return self

    def pod(self) -> Object | None:
        """The newest one; None while there is none."""
        return next(reversed(by_age(self.known().get(self._pods, ()))), None)

    def check(self, patience: Patience, window: float) -> None:
        """Raises Invalid when the command can never start, or was ended from outside."""
        known = self.known()
        job = next((one for one in known.get(self._job, ()) if uid_of(one) == self._uid), None)
        if self._job in known and job is None:
            raise Invalid("the command's Job was deleted by somebody else")
        over = condition(job, "Failed")
        if text(over, "status") == "True" and text(over, "reason") == "DeadlineExceeded":
            raise Invalid("the command took longer than [rollout] deadline")
        pod = self.pod()
        has_ended = pod is not None and any(one.ended for one in containers(pod))
        if text(over, "status") == "True" and not has_ended:
            # The pod's own feed may be behind that of its Job.
            why = waiting("lost", f"{text(over, 'reason')}: {text(over, 'message')}", patience=LOST_PATIENCE)
            if patience.judged(why).state == "failed":
                raise Invalid(f"the command's pod was lost before its end was known ({why.reason})")
            return
        if pod is None:
            self._refused(known.get(self._job_events, ()), patience)
            return
        found = pod_finding(pod, by_pod(known.get(self._pod_events, ())).get(uid_of(pod), ()), window=window)
        if found is not None and patience.judged(found).state == "failed":
            raise Invalid(f"the command cannot be run: {found.reason}")
        if text(pod, "status", "phase") == "Failed" and not has_ended:
            raise Transient(f"the command's pod was lost: {text(pod, 'status', 'reason')}")

    def _refused(self, events: Sequence[Object], patience: Patience) -> None:
        said = [one for one in events if text(one, "involvedObject", "uid") == self._uid]
        last = next((text(one, "message") for one in reversed(said) if text(one, "reason") == "FailedCreate"), "")
        if not last:
            return
        words = f"the command's pod is refused: {last}"
        passing = passing_refusal(last, words)
        if passing is None or patience.judged(passing).state == "failed":
            raise Invalid(words)


class _Reading:
    """The command's output, in a thread: a log that is followed blocks."""

    def __init__(self, logs: Logs, tell: Callable[[str], None]) -> None:
        self._logs = logs
        self._tell = tell
        self._thread: threading.Thread | None = None

    def begin(self, pod: str, container: str) -> None:
        """From its first line."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, args=(pod, container), daemon=True, name="shipper-once")
            self._thread.start()

    def finish(self) -> None:
        """Everything has been told."""
        if self._thread is not None:
            self._thread.join(LAST_LINES)

    def _read(self, pod: str, container: str) -> None:
        try:
            for line in self._logs.whole(pod, container):
                self._tell(line)
        except PlatformError as error:
            self._tell(f"its log could not be read ({error})")


def _container(pod: Object, name: str) -> Container | None:
    return next((one for one in containers(pod) if one.name == name and not one.init), None)
