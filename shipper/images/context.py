"""The build context as BuildKit will see it: which files, how large, and one digest over all of it.

A context is what `.dockerignore` leaves (`<Dockerfile>.dockerignore` has precedence), walked in a fixed order.
Symbolic links are sent as links and never followed; sockets, pipes and devices are left out with a remark.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shipper.errors import BuildError, ConfigError, PolicyError
from shipper.images.commit import Commit, read_commit
from shipper.images.ignore import IgnoreRules, Judgement, read_rules
from shipper.model import ImageSettings, LargeFile, ServiceSettings, Source
from shipper.model.context import Cancellation, Reporter
from shipper.model.quantities import show_size

DEEPEST = 256
"""Directories inside each other. Nobody needs so many, and tools that clear them away again count on fewer."""

LARGEST = 10
"""How many of the largest files are named."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the context. `mode` has the permission bits, which COPY keeps; `target` is a link's."""

    path: str
    kind: Literal["file", "directory", "link", "special"]
    mode: int
    size: int = 0
    target: str = ""


@dataclass(frozen=True)
class Measure:
    """What a walk over the whole context found. `digest` is `sha256:<hex>`; `special` are paths left out."""

    files: int
    size: int
    largest: tuple[LargeFile, ...]
    digest: str
    special: tuple[str, ...]


@dataclass(frozen=True)
class BuildContext:
    """Where the context and the Dockerfile are: real paths, proved to lie inside the repository."""

    directory: Path
    dockerfile: Path
    stage: str | None
    rules: IgnoreRules = field(repr=False)

    def entries(self) -> Iterator[Entry]:
        """Everything that is sent, in the order of the names' bytes, directories before what is in them."""
        levels = [_Level("", None, _sorted_listing(self.directory))]
        while levels:
            here = levels[-1]
            found = next(here.listing, None)
            if found is None:
                levels.pop()
                continue
            path = f"{here.path}/{found.name}" if here.path else found.name
            judgement = self.rules.judge(path, here.judgement)
            if not judgement.excluded:
                yield from _unsent(levels)
                yield _entry(found, path)
            if found.is_dir(follow_symlinks=False) and self._opens(path, judgement):
                if len(levels) >= DEEPEST:
                    raise _too_deep(path)
                unsent = _entry(found, path) if judgement.excluded else None
                levels.append(_Level(path, judgement, _sorted_listing(self.directory / path), unsent))

    def measure(self, limit: int | None = None, cancel: Cancellation | None = None) -> Measure:
        """Count, weigh and digest in one pass. Raises PolicyError as soon as more than `limit` bytes would be sent,
        before they are all read, and BuildError for what cannot be read."""
        total, largest, special = _Total(), list[tuple[int, str]](), list[str]()
        seal = hashlib.sha256(b"shipper-context-1\0")
        for entry in self.entries():
            if cancel is not None:
                cancel.check()
            if entry.kind == "special":
                special.append(_printable(entry.path))
                continue
            if entry.kind == "file":
                total.add(entry.size)
                _keep_largest(largest, (entry.size, entry.path))
            content = b"" if total.over(limit) else self._content(entry)
            seal.update(_record(entry, content))
        seal.update(_digest_of_file(self.dockerfile) + (self.stage or "").encode())
        named = tuple(LargeFile(path=_printable(path), size=size) for size, path in sorted(largest, reverse=True))
        if total.over(limit):
            raise _too_large(total.size, limit or 0, named)
        return Measure(total.files, total.size, named, f"sha256:{seal.hexdigest()}", tuple(special))

    def copy_to(self, directory: Path) -> None:
        """The context's files below `directory` (hard links where the file system allows it, copies elsewhere).

        Without links: what they point to is there itself when it belongs to the context, and must not be read
        when it does not. Never write to these files: they may be the originals. Raises BuildError.
        """
        directory.mkdir(parents=True, exist_ok=True)
        for entry in self.entries():
            try:
                if entry.kind == "directory":
                    (directory / entry.path).mkdir(exist_ok=True)
                elif entry.kind == "file":
                    _link_or_copy(self.directory / entry.path, directory / entry.path)
            except OSError as error:
                raise _unreadable(self.directory / entry.path, error) from error

    def holds(self, path: Path) -> bool:
        """Whether this file (present or not) belongs to the context, or is the Dockerfile."""
        if path == self.dockerfile:
            return True
        if not path.is_relative_to(self.directory) or path == self.directory:
            return False
        return self.rules.excluding(path.relative_to(self.directory).as_posix()) is None

    def _opens(self, path: str, judgement: Judgement) -> bool:
        return not judgement.excluded or self.rules.may_keep_something_below(path)

    def _content(self, entry: Entry) -> bytes:
        if entry.kind == "file":
            return _digest_of_file(self.directory / entry.path)
        return os.fsencode(entry.target)


@dataclass
class _Level:
    """One open directory of a walk. `unsent` is an excluded one, sent only when something below it is."""

    path: str
    judgement: Judgement | None
    listing: Iterator[os.DirEntry[str]]
    unsent: Entry | None = None


class _Total:
    """Files and bytes so far."""

    def __init__(self) -> None:
        self.files = 0
        self.size = 0

    def add(self, size: int) -> None:
        self.files += 1
        self.size += size

    def over(self, limit: int | None) -> bool:
        return limit is not None and self.size > limit


def open_context(service: ServiceSettings, image: ImageSettings) -> BuildContext:
    """Find the context and the Dockerfile. Raises ConfigError when either is missing, of the wrong kind, or leaves
    the repository, also through a symbolic link."""
    root = Path(service.root).resolve()
    boundary = repository_of(root)
    directory = _inside(boundary, root, image.context, "image.context")
    dockerfile = _inside(boundary, root, image.dockerfile, "image.dockerfile")
    if not directory.is_dir():
        raise ConfigError(f"image.context {image.context!r} is not a directory", hint="name the folder to build from")
    if not dockerfile.is_file():
        raise ConfigError(
            f"there is no Dockerfile at {image.dockerfile!r} in {service.root}",
            hint="write one, or set image.dockerfile in shipper.toml",
        )
    return BuildContext(directory, dockerfile, image.stage, read_rules(_ignore_file(directory, dockerfile, boundary)))


def repository_of(root: Path) -> Path:
    """The directory that nothing may leave: the git work tree around `root`, else `root` itself.

    A repository in the home directory or at the top of the file system does not count: a folder that was unpacked
    there must not reach the rest of it.
    """
    for directory in (root, *root.parents):
        if directory in (Path.home(), Path(directory.anchor)):
            break
        if (directory / ".git").exists():
            return directory
    return root


def describe(
    service: ServiceSettings,
    image: ImageSettings,
    report: Reporter | None = None,
    cancel: Cancellation | None = None,
) -> Source:
    """The source: what is in the context, and the commit it comes from (None outside a repository or without git).

    Raises ConfigError (paths, patterns), PolicyError when the context is larger than `image.max_context`, BuildError
    for files that cannot be read. What is left out or unknown is said to `report`.
    """
    context = open_context(service, image)
    measure = context.measure(image.max_context, cancel)
    commit = read_commit(context.directory, (context.directory, context.dockerfile), context.holds, cancel)
    for remark in (*_remarks(measure), *commit.remarks):
        if report is not None:
            report.remark(remark)
    return _source(measure, commit)


def _source(measure: Measure, commit: Commit) -> Source:
    return Source(
        commit=commit.id,
        context_commit=commit.context_id,
        commit_time=commit.time,
        dirty=commit.dirty,
        context_digest=measure.digest,
        files=measure.files,
        size=measure.size,
        largest=measure.largest,
    )


def _remarks(measure: Measure) -> Iterator[str]:
    if measure.special:
        names = ", ".join(measure.special[:3]) + (" …" if len(measure.special) > 3 else "")
        yield f"left out of the build context, neither file, directory nor link: {names}"


def _inside(boundary: Path, root: Path, given: str, key: str) -> Path:
    path = (root / given).resolve()
    if not path.is_relative_to(boundary):
        raise ConfigError(
            f"{key} {given!r} leaves the repository",
            hint=f"it must be below {boundary}, links included",
        )
    return path


def _ignore_file(directory: Path, dockerfile: Path, boundary: Path) -> Path | None:
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    for candidate in (own, directory / ".dockerignore"):
        if candidate.is_file():
            if not candidate.resolve().is_relative_to(boundary):
                raise ConfigError(f"{candidate.name} leaves the repository", hint="replace the link by a file")
            return candidate
    return None


def _unsent(levels: list[_Level]) -> Iterator[Entry]:
    for level in levels:
        if level.unsent is not None:
            yield level.unsent
            level.unsent = None


def _sorted_listing(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listing:
            return iter(sorted(listing, key=lambda found: os.fsencode(found.name)))
    except OSError as error:
        raise _unreadable(directory, error) from error


def _entry(found: os.DirEntry[str], path: str) -> Entry:
    try:
        status = found.stat(follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISREG(status.st_mode):
            return Entry(path, "file", mode, status.st_size)
        if stat.S_ISDIR(status.st_mode):
            return Entry(path, "directory", mode)
        if stat.S_ISLNK(status.st_mode):
            return Entry(path, "link", 0, target=os.readlink(found.path))  # noqa: PTH115 - bytes as they are
    except OSError as error:
        raise _unreadable(Path(found.path), error) from error
    return Entry(path, "special", mode)


def _record(entry: Entry, content: bytes) -> bytes:
    """One entry of the digest: every part has a fixed length or is preceded by its length."""
    path = os.fsencode(entry.path)
    head = f"{entry.kind} {entry.mode:o} {len(path)} {len(content)}\0".encode()
    return head + path + content


def _digest_of_file(path: Path) -> bytes:
    seal = hashlib.sha256()
    try:
        # Not through a link, and not waiting for a pipe's other end, should the file have been exchanged meanwhile.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - it is a descriptor
            while block := file.read(_BLOCK):
                seal.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return seal.digest()


def _keep_largest(largest: list[tuple[int, str]], found: tuple[int, str]) -> None:
    if len(largest) < LARGEST:
        heapq.heappush(largest, found)
    else:
        heapq.heappushpop(largest, found)


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:  # another file system, or a kernel that forbids links to files of others
        shutil.copyfile(source, place, follow_symlinks=False)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unreadable(path: Path, error: OSError) -> BuildError:
    why = (error.strerror or "it cannot be read").lower()
    return BuildError(
        f"the build context has something that cannot be read: {_printable(str(path))}: {why}",
        hint="make it readable, or keep it out with .dockerignore",
    )


def _too_deep(path: str) -> BuildError:
    top = _printable(path.partition("/")[0])
    return BuildError(
        f"the build context has more than {DEEPEST} directories inside each other, below {top}/",
        hint="keep that directory out with .dockerignore",
    )


def _too_large(size: int, limit: int, largest: tuple[LargeFile, ...]) -> PolicyError:
    return PolicyError(
        f"the build context has {show_size(size)}, more than image.max_context ({show_size(limit)})",
        hint="leave data and models out with .dockerignore, or raise image.max_context",
        details=[f"{show_size(large.size):>10}  {large.path}" for large in largest],
    )
