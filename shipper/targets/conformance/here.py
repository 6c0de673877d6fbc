"""The words that scenarios are told in: what is done at a place, and what its users find afterwards."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shipper.model import ImageRef, Observation, Release, Settings, Stamp, Wanted
from shipper.model.release import fingerprint_of, new_release_id
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.remarks import Remarks
from shipper.rollout.known import known
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.way_back import way_back
from shipper.targets.conformance.rig import (
    Adopts,
    Answer,
    Drifts,
    Ended,
    ImageKind,
    Kill,
    KillsProcesses,
    LosesImages,
    LosesRevisions,
    LosesStamp,
    Place,
    Run,
    StoresSecrets,
)
from shipper.targets.conformance.running import ledger_of, run_here
from shipper.targets.conformance.values import Values
from shipper.targets.conformance.watched import Around
from shipper.targets.protocol import Target

CODES = frozenset({0, 2, 16, 20, 21, 22, 23, 24, 30, 31, 32, 33, 130, 143})
"""What a rollout may end with (docs/reference/exit-codes.md)."""

ROUTES_LATE = 0.5
"""Seconds for what is routed to reach every proxy, where that takes a while."""

PATIENCE = 10.0
"""Seconds in which what was routed must reach the address: some platforms say "done" before it has."""


def changed(settings: Settings, **sections: Mapping[str, Any]) -> Settings:
    """Settings with some values of some sections replaced, and everything checked again."""
    found = settings.model_dump(mode="json")
    for name, values in sections.items():
        found[name] = {**found[name], **values}
    return Settings.model_validate(found)


class Here:
    """A place, its ledger, and what a scenario has set so far: settings and secret values of the next run.

    `ledgers` is the URL below which its ledgers are: this process's memory, or where other processes find them too.
    """

    def __init__(self, place: Place, ledgers: str = "memory:/") -> None:
        self.place = place
        self._ledgers = ledgers
        self.settings = place.settings()
        self.secrets: dict[str, str] = {}
        self.ledger = self._new_ledger()

    # What is done.

    def sets(self, **sections: Mapping[str, Any]) -> None:
        """From now on releases have these settings: `here.sets(run={"env": {"MODE": "new"}})`."""
        self.settings = changed(self.settings, **sections)

    def knows(self, **secrets: str) -> None:
        """From now on releases have exactly these secrets."""
        if isinstance(self.place, StoresSecrets):
            references = {name: self.place.store_secret(name, value) for name, value in secrets.items()}
        else:
            self.secrets, references = secrets, {name: f"env:{name}" for name in secrets}
        self.sets(run={"secrets": references})

    def release(self, text: str = "one", kind: ImageKind = "good", **options: Any) -> Ended:
        """`shipper release` of an image that answers `text`; options as of `do`."""
        return self.do(self.place.image(kind, text), **options)

    def rollback(self, to: str | None = None, **options: Any) -> Ended:
        """`shipper rollback`, from a machine that has no secret values; options as of `do`."""
        return self.do(None, wanted=Wanted(to=to), **options)

    def do(
        self,
        image: ImageRef | None,
        *,
        wanted: Wanted | None = None,
        kill: Kill | None = None,
        around: Around | None = None,
        cancel: RunCancellation | None = None,
        ledger: str | None = None,
        wait: float = 0.0,
        commit_time: int | None = None,
        in_process: bool = False,
    ) -> Ended:
        """One run. Where a place kills processes, a kill is a real one, and may count the platform's own writes.

        `in_process` kills it here all the same: what is counted are then members of the protocol. `commit_time`: Unix
        seconds.
        """
        run = Run(
            settings=self.settings,
            image=image,
            secrets=self.secrets if image is not None else {},
            wanted=wanted or Wanted(),
            ledger=ledger or self.ledger,
            wait=wait,
            commit=f"{commit_time:040x}" if commit_time is not None else None,
            commit_time=commit_time,
        )
        if kill is not None and isinstance(self.place, KillsProcesses) and not in_process:
            return self.place.run(run, kill)
        return run_here(self.place, run, kill, around, cancel)

    def dies_while_starting(self, text: str, like: Ended) -> None:
        """A release of what will never be ready is killed once it has begun. `like`: one in this process that ended."""
        at = 1 + min(at for at, write in enumerate(like.writes) if write in ("create", "replace"))
        assert self.release(text, "never-ready", in_process=True, kill=Kill("after", at)).killed

    def loses_the_ledger(self) -> None:
        """From now on there is another one, which is empty."""
        self.ledger = self._new_ledger()

    def target(self) -> Target:
        """A target of somebody else's, who looks or writes past our runs."""
        return self.place.target(self.settings, Values(self.secrets))

    def observe(self) -> Observation:
        """What the platform says now."""
        return self.target().observe()

    def writes_meanwhile(self) -> None:
        """Somebody else writes, and changes nothing: every older `seen` is out of date."""
        target = self.target()
        now = target.observe()
        target.write_stamp(now.stamp, now.seen)

    def a_release(self, text: str = "direct", kind: ImageKind = "good", number: int | None = None) -> Release:
        """A release as a run would decide it, for calling a target directly."""
        image = {"main": self.place.image(kind, text)}
        target = self.target()
        versions = secret_versions_of(self.settings, Values(self.secrets), target, make_key=False)
        return Release(
            id=new_release_id(),
            number=number or self.observe().highest + 1,
            fingerprint=fingerprint_of(image, self.settings, versions or {}),
            images=image,
            settings=self.settings,
            target=self.place.chosen.name,
            place=self.place.chosen,
            ledger=self.ledger,
            secret_versions=versions or {},
            created=time.time(),
        )

    def drift(self) -> None:
        """Somebody changes by hand what shipper owns."""
        assert isinstance(self.place, Drifts)
        self.place.drift()

    def loses_the_stamp(self) -> None:
        """Somebody removes the stamp by hand."""
        assert isinstance(self.place, LosesStamp)
        self.place.lose_stamp()

    def adopt(self, text: str) -> None:
        """Somebody serves `text` here, without shipper."""
        assert isinstance(self.place, Adopts)
        self.place.adopt(text)

    def lose_revision(self, name: str) -> None:
        """Somebody deletes a revision by hand."""
        assert isinstance(self.place, LosesRevisions)
        self.place.lose_revision(name)

    def lose_image(self, text: str) -> None:
        """Somebody deletes the good image of this text."""
        assert isinstance(self.place, LosesImages)
        self.place.lose_image(self.place.image("good", text))

    def removes_everything(self) -> None:
        """`shipper remove`, without its ledger."""
        target = self.target()
        now = target.observe()
        target.remove(now.stamp, now.seen)

    @contextlib.contextmanager
    def users(self, pause: float = 0.005) -> Iterator[list[Answer | None]]:
        """Two users ask all the time, one request after another; what they got, None where nothing answered."""
        done, got = threading.Event(), list[Answer | None]()

        def asks() -> None:
            while not done.wait(pause):
                got.append(self._ask("/"))

        threads = [threading.Thread(target=asks) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield got
        finally:
            done.set()
            for thread in threads:
                thread.join()

    # What is found.

    def answers(self, text: str, path: str = "/") -> None:
        """Users get `text`, soon and from then on; where proxies hear late, from when the last one of them knows."""
        is_late, deadline = self.target().traits.routes_late, time.monotonic() + PATIENCE
        while True:
            found = self._until(lambda answer: answer is not None and _says(answer, text), path)
            assert found is not None, f"the address answers nothing; expected {text!r} at {path}"
            assert _says(found, text), f"the address answers {_shown(found)} at {path}; expected {text!r}"
            if is_late:
                time.sleep(ROUTES_LATE)  # no event tells when the last proxy knows
            again = [self._ask(path) for _ in range(5)]
            others = [answer for answer in again if answer is None or not _says(answer, text)]
            if not others:
                return
            may_settle = is_late and time.monotonic() < deadline
            told = _shown(others[0]) if others[0] is not None else "nothing"
            assert may_settle, f"the address answered {text!r} and then {told}"

    def answers_one_of(self, *texts: str) -> str:
        """Users get one of these, soon and from then on; which."""
        said = self._one_of(texts)
        self.answers(said)
        return said

    def answers_or_comes_to(self, earlier: str, later: str) -> None:
        """Users get one of these, soon and from then on, or first the earlier one: the last write of a run that died is
        carried out by the platform when the run is gone.
        """
        if self._one_of((earlier, later)) == earlier:
            with contextlib.suppress(AssertionError):
                self.answers(earlier)
                return
        self.answers(later)

    def _one_of(self, texts: Sequence[str]) -> str:
        found = self._until(lambda answer: answer is not None and any(_says(answer, text) for text in texts), "/")
        said = next((text for text in texts if found is not None and _says(found, text)), None)
        assert said is not None, f"the address answers {_shown(found)}; expected one of {', '.join(texts)}"
        return said

    def answers_nothing(self) -> None:
        """Nobody of ours answers: the connection is refused, or a proxy says that there is nothing."""
        found = self._until(lambda answer: answer is None or (answer.status >= 500 and not answer.revision), "/")
        assert found is None or found.status >= 500, f"the address still answers {_shown(found)}"

    def status(self) -> tuple[str, str]:
        """What `shipper status` says: the release that serves, for people ("" for none that is known), and the way
        back."""
        target, now = self.target(), self.observe()
        settings, place = self.settings.service, self.place.chosen.name
        found = known(target, ledger_of(self.ledger, settings, place), Remarks(), observation=now)
        serving = found.serving(now.main) if now.main is not None else None
        return serving.name if serving is not None else "", way_back(target, found, now, time.time())

    def lost_nothing(self) -> None:
        """Nothing is on the platform that belongs to no revision and no record."""
        leaks = list(self.place.leaks())
        assert leaks == [], f"left behind: {', '.join(leaks)}"

    def serves(self) -> dict[str, int]:
        """Revision name to weight, as routed."""
        return {revision.name: revision.weight for revision in self.observe().serving}

    def _new_ledger(self) -> str:
        return f"{self._ledgers}/{new_release_id().lower()}"

    def _ask(self, path: str) -> Answer | None:
        try:
            return self.place.ask(path)
        except OSError:
            return None

    def _until(self, right: Callable[[Answer | None], bool], path: str) -> Answer | None:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self._ask(path)
            if right(found) or time.monotonic() >= deadline:
                return found
            time.sleep(0.05)


def expect(ended: Ended, *codes: int) -> Ended:
    """The run ended with one of these exit codes."""
    assert ended.code in codes, f"expected exit code {' or '.join(map(str, codes))}: {told(ended)}"
    return ended


def told(ended: Ended) -> str:
    """A run's end on one line, and its details below."""
    lines = [f"{ended.code} {ended.cause} {ended.message}", f"writes: {', '.join(ended.writes) or 'none'}"]
    return "\n  ".join([*lines, *ended.details, *ended.remarks])


def _says(answer: Answer, text: str) -> bool:
    return answer.status == 200 and answer.body == text.encode()


def _shown(answer: Answer | None) -> str:
    if answer is None:
        return "nothing"
    return f"{answer.status} {answer.body[:80]!r} (revision {answer.revision})"


def stamped(stamp: Stamp, **changes: Any) -> Stamp:
    """The stamp with some values replaced."""
    return stamp.model_copy(update=changes)
