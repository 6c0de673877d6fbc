"""The commit that a build context comes from, asked of git without letting the repository run anything.

A repository's own configuration can name programs (file monitor, hooks, pager, signature check, filters, remote
helpers). All of these are switched off, so that looking at a stranger's checkout is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipper.model.context import Cancellation

TIMEOUT = 60.0
"""Seconds for one question to git; a status of a large checkout on a cold disk takes a few."""

_SAFE = (
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.pager=cat"),
    *("-c", "diff.external="),
    *("-c", "log.showSignature=false"),
    *("-c", "submodule.recurse=false"),
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # a partial clone's missing objects are never fetched
    "LC_ALL": "C",
}

_OWN_SCOPES = frozenset({"local", "worktree"})
_PARTS = ("KEY", "VALUE")


LOOK_BACK = 200
"""Commits to the context's directory that are looked at for one that changed the context itself."""


@dataclass(frozen=True)
class Commit:
    """`id` is HEAD; `context_id` and `time` (Unix seconds) are the last commit that touched the context."""

    id: str | None = None
    context_id: str | None = None
    time: int | None = None
    dirty: bool = False
    remarks: tuple[str, ...] = ()


def read_commit(
    directory: Path,
    paths: Sequence[Path],
    counts: Callable[[Path], bool],
    cancel: Cancellation | None = None,
) -> Commit:
    """The commit of the work tree around `directory`, for `paths`; `counts` says whether a changed file matters.

    Never fails: without git, outside a repository, before the first commit, or where git refuses the directory as
    someone else's, the commit is None, with a remark where that is surprising.
    """
    from shipper.processes import ProgramMissing, TimedOut

    git = _Git(directory, cancel)
    try:
        return _read(git, paths, counts)
    except ProgramMissing:
        return Commit(remarks=("git is not installed: this release does not know its commit",))
    except TimedOut:
        return Commit(remarks=(f"git did not answer within {TIMEOUT:.0f} s: this release does not know its commit",))


def _read(git: _Git, paths: Sequence[Path], counts: Callable[[Path], bool]) -> Commit:
    head = git.ask("rev-parse", "--show-toplevel", "--is-shallow-repository", "--verify", "HEAD^{commit}")
    if head is None:
        return Commit(remarks=_why_unknown(git.refusal))
    top, shallow, commit = [*head.splitlines(), "", "", ""][:3]
    names = [str(path) for path in paths]
    context_id, time = _last_that_counts(git, Path(top), names, counts)
    remarks = ("the checkout is shallow: the last commit that touched the context may be an older one",)
    return Commit(
        id=commit,
        context_id=context_id or None,
        time=int(time) if time else None,
        dirty=_is_dirty(git, Path(top), names, counts),
        remarks=remarks if shallow == "true" and context_id else (),
    )


def _last_that_counts(git: _Git, top: Path, names: Sequence[str], counts: Callable[[Path], bool]) -> tuple[str, str]:
    """(id, Unix seconds) of the last commit that changed a file of the context; empty texts when there is none.

    Files that .dockerignore keeps out do not count: a commit to shipper.toml or to the tests must not give another
    image. Looks at LOOK_BACK commits, then takes the newest.
    """
    options = (f"-{LOOK_BACK}", "--no-show-signature", "--name-only", "--no-renames", "-z", "--format=%x01%H %ct%x00")
    said = git.ask("log", *options, "--", *names) or ""
    newest = ("", "")
    for entry in said.split("\x01")[1:]:
        header, *files = (part.strip("\n") for part in entry.split("\0"))
        context_id, _, time = header.partition(" ")
        newest = newest if newest[0] else (context_id, time)
        if any(counts(top / file) for file in files if file):
            return context_id, time
    return newest


def _is_dirty(git: _Git, top: Path, names: Sequence[str], counts: Callable[[Path], bool]) -> bool:
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames")
    status = git.ask("status", *options, "--", *names, settings=git.filters_off())
    if status is None:
        return True  # git cannot say: do not claim that the commit describes this source
    return any(counts(top / line[3:]) for line in status.split("\0") if len(line) > 3)


def _why_unknown(refusal: str) -> tuple[str, ...]:
    if "dubious ownership" in refusal:
        return ("git refuses this directory, it belongs to someone else: this release does not know its commit",)
    if "not a git repository" in refusal:
        return ()
    return ("git knows no commit here yet: this release does not know its commit",)


class _Git:
    """Asks git about one directory, and remembers why it refused."""

    def __init__(self, directory: Path, cancel: Cancellation | None) -> None:
        self._directory = directory
        self._cancel = cancel
        self.refusal = ""

    def ask(self, *args: str, settings: Mapping[str, str] | None = None) -> str | None:
        """What git printed; None when it refused. Raises ProgramMissing, TimedOut, Interrupted."""
        from shipper.processes import run

        command = ("git", "-C", str(self._directory), *_SAFE, *args)
        environment = {**_ENVIRONMENT, **_as_environment(settings or {})}
        finished = run(command, env=environment, timeout=TIMEOUT, cancel=self._cancel)
        if finished.returncode != 0:
            self.refusal = finished.stderr
            return None
        return finished.stdout

    def filters_off(self) -> dict[str, str]:
        """Settings that switch off the filter programs which the repository itself names; the user's own (large
        file storage) stay, else every such file would look changed."""
        listing = self.ask("config", "--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\.") or ""
        fields = listing.split("\0")
        named = [name for scope, name in zip(fields[::2], fields[1::2], strict=False) if scope in _OWN_SCOPES]
        return {name: "false" if name.endswith(".required") else "" for name in named}


def _as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings for one call. Not with -c: there a name may not hold an equals sign, and a stranger chose the names."""
    pairs = enumerate(settings.items())
    variables = {f"GIT_CONFIG_{part}_{i}": text for i, pair in pairs for part, text in zip(_PARTS, pair, strict=True)}
    return {"GIT_CONFIG_COUNT": str(len(settings)), **variables}
