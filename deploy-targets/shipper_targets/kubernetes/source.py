"""Where own manifests are from: files and directories of the project, or the output of a command. Read once.

Preflight, fingerprint, plan and apply of one target see the same text, although a file changes meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from shipper.config.repository import inside, repository_of
from shipper.errors import ConfigError
from shipper.model.context import Cancellation
from shipper.model.noun import digest_of
from shipper.processes import Finished, TimedOut, run
from shipper_targets.kubernetes.kube_errors import one_line
from shipper_targets.kubernetes.own_names import misnamed
from shipper_targets.kubernetes.own_problems import ManyProblems, mend, printable
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.yaml_files import BadYaml, Document, documents

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST = 8 * 2**20
"""Bytes of one file or output: whoever has more has given us something else than manifests."""

_MOST_LINES = 400_000

_TEMPLATES = {
    "kustomization.yaml": ("kustomize", '["kubectl", "kustomize", "{}"]'),
    "kustomization.yml": ("kustomize", '["kubectl", "kustomize", "{}"]'),
    "Kustomization": ("kustomize", '["kubectl", "kustomize", "{}"]'),
    "Chart.yaml": ("Helm", '["helm", "template", "RELEASE", "{}", "--no-hooks"]'),
}
"""What is no manifest but makes some."""


class Source:
    """The project's own manifests, as they were when they were first asked for."""

    def __init__(self, own: KubernetesSettings, root: Path, cancel: Cancellation | None = None) -> None:
        """`root`: the directory of shipper.toml."""
        self._own = own
        self._root = root
        self._cancel = cancel

    @cached_property
    def objects(self) -> tuple[Document, ...]:
        """Every object, lists of objects taken apart. Raises ConfigError (2) naming file and line of every problem."""
        texts = self._output() if self._own.manifests_command else self._files()
        found: list[Document] = []
        problems: list[str] = []
        for origin, text in texts:
            try:
                for one in documents(text, origin):
                    found += _flattened(one, problems)
            except BadYaml as error:
                problems.append(f"{origin}, line {error.line}: {error.problem}")
        if not found and not problems:
            problems.append("there is no object in them")
        if problems:
            lines = [printable(line) for line in problems]
            raise ManyProblems("the manifests cannot be read", hint=mend(self._own), details=lines)
        return tuple(found)

    @cached_property
    def content(self) -> str:
        """A digest over what they say, whatever their layout and comments."""
        return digest_of([one.value for one in self.objects])

    def _files(self) -> Iterator[tuple[str, str]]:
        for name in self._own.manifests:
            for one in _paths(self._root / name, name):
                self._require_inside(one, name)
                yield os.path.relpath(one, self._root), _read(one, name)

    def _require_inside(self, path: Path, name: str) -> None:
        """What is in a repository is reviewed there: a link to another place is not."""
        repository = repository_of(self._root)
        if not inside(repository, path):
            found = os.path.relpath(path, self._root)
            raise ConfigError(
                f'manifests "{name}": {found} leads out of the repository, to {os.path.realpath(path)}',
                hint=f"it must be below {repository}, links included",
            )

    def _output(self) -> Iterator[tuple[str, str]]:
        words = self._own.manifests_command
        origin = f"the output of {' '.join(words[:2])}"
        given = {name: os.environ[name] for name in self._own.manifests_env if name in os.environ}
        ended = self._run(words, given)
        if not ended.ok:
            raise ConfigError(
                f"manifests_command failed: {' '.join(words[:2])} ended with status {ended.returncode}",
                hint="run it by hand in the directory of shipper.toml; variables that it needs go into manifests_env",
                details=_said(ended.stderr),
            )
        if ended.dropped or len(ended.stdout.encode()) > LARGEST:
            raise ConfigError(f"{origin} has more than {LARGEST // 2**20} MiB", hint="let it write less")
        yield origin, ended.stdout

    def _run(self, words: Sequence[str], given: Mapping[str, str]) -> Finished:
        try:
            return run(
                words,
                env=given,
                cwd=self._root,
                timeout=self._own.manifests_timeout,
                cancel=self._cancel,
                keep=_MOST_LINES,
            )
        except TimedOut as error:
            longest = f"{self._own.manifests_timeout:g} s"
            raise ConfigError(
                f"manifests_command was stopped: {' '.join(words[:2])} did not end within {longest}",
                hint=f"run it by hand in the directory of shipper.toml; manifests_timeout gives it more than {longest}",
                details=_said("\n".join(error.details)),
            ) from error


def _said(text: str) -> list[str]:
    """What a command said of its failure: one line, however long it was."""
    return [printable(one_line(text))] if text.strip() else []


def _paths(path: Path, name: str) -> list[Path]:
    try:
        return sorted(_in_directory(path, name)) if path.is_dir() else [path]
    except OSError as error:
        raise _unreadable(name, error) from error


def _in_directory(path: Path, name: str) -> Iterator[Path]:
    """The files right in it, as kubectl takes them. Raises ConfigError where they are templates of a tool."""
    for file, (tool, command) in _TEMPLATES.items():
        if (path / file).exists():
            raise ConfigError(
                f'"{name}" is for {tool}, its files are not manifests yet',
                hint=f"write manifests_command = {command.format(name)} instead of manifests",
            )
    found = [one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file()]
    if not found:
        raise ConfigError(f'"{name}" holds no manifests', hint=f"files of it that end in {', '.join(SUFFIXES)} count")
    yield from found


def _read(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f'"{name}" has more than {LARGEST // 2**20} MiB', hint="name manifests only")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unreadable(name, error) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f'manifests "{name}": not UTF-8 text (byte {error.start})', hint="save it as UTF-8"
        ) from error


def _unreadable(name: str, error: OSError) -> ConfigError:
    reason = (error.strerror or "not readable").lower()
    return ConfigError(f'manifests "{name}": {reason}', hint="paths are relative to shipper.toml")


def _flattened(one: Document, problems: list[str]) -> Iterator[Document]:
    """Objects with apiVersion, kind and name; the elements of a List. Whatever is none becomes a problem."""
    if not isinstance(one.value, dict):
        problems.append(f"{one.origin}, line {one.line}: expected an object with apiVersion, kind and metadata")
        return
    items = one.value.get("items")
    if str(one.value.get("kind", "")).endswith("List") and isinstance(items, list):
        for at, item in enumerate(items):
            node = next((value for key, value in one.node.value if key.value == "items"), None)
            inside = node.value[at] if node is not None and at < len(getattr(node, "value", ())) else one.node
            yield from _flattened(Document(one.origin, one.line_at(("items", at)), item, inside), problems)
        return
    if missing := _missing(one.value):
        problems.append(f"{one.origin}, line {one.line}: expected {missing}")
        return
    if wrong := misnamed(one.value):
        path, wanted = wrong
        problems.append(f"{one.origin}, line {one.line_at(path)}: {'.'.join(path)}: expected {wanted}")
        return
    yield one


def _missing(value: dict[str, Any]) -> str | None:
    for name in ("apiVersion", "kind"):
        if not isinstance(value.get(name), str) or not value[name]:
            return f"an object with {name}"
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        return f"metadata.name: a {value['kind']} needs a name of its own (generateName makes another one every time)"
    for name in ("labels", "annotations"):
        held = metadata.get(name)
        if held is not None and not (isinstance(held, dict) and all(isinstance(text, str) for text in held.values())):
            return f'metadata.{name} with text: put numbers and truth values in quotes, such as "true"'
    return None
