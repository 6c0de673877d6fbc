"""A problem of the configuration, and the one error that carries all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field

from shipper.config.positions import KeyPath, Position
from shipper.config.printable import dotted
from shipper.errors import ConfigError
from shipper.model.noun import Noun
from shipper.model.printable import printable

WIDTH = 97  # and two for the indentation: under 100 characters a line
MOST_SHOWN = 50


class ConfigProblem(Noun):
    """One mistake: where, what was found, what was expected, what to do."""

    file: str = Field(description="The file, relative to the working directory when it is inside.")
    line: int | None = Field(default=None, description="From 1; None when the problem is the file itself.")
    column: int | None = Field(default=None, description="From 1.")
    key: str = Field(default="", description='The key, such as "run.port".')
    message: str = Field(description="What is wrong, in one sentence, without the place.")
    found: str = Field(default="", description="The value found, shortened; secrets are never shown.")
    expected: str = Field(default="", description="What is accepted there.")
    nearest: str = Field(default="", description="The nearest valid name, when a name was wrong.")
    hint: str = Field(default="", description="What to do.")
    excerpt: tuple[str, ...] = Field(default=(), description="The line and a caret, for TOML syntax errors.")
    path: tuple[str | int, ...] = Field(default=(), description='The key in its parts: ["run", "volumes", 0].')

    @property
    def place(self) -> str:
        """`shipper.toml:7:3`."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def lines(self) -> list[str]:
        """What is shown: the problem, the excerpt, what to do. Every line is under 100 characters."""
        what = f"{self.key}: {self.message}" if self.key else self.message
        shown = [*_wrapped(f"{self.place} {what}"), *(f"  {line}" for line in self.excerpt)]
        return [*shown, *(_wrapped(self.hint, indent="  ") if self.hint else ())]


class ConfigProblems(ConfigError):
    """The configuration is wrong: `problems` has them all, `details` shows them."""

    def __init__(self, problems: Sequence[ConfigProblem], *, message: str = "", hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(
            message or _headline(self.problems),
            hint=hint or "correct the configuration, then check it with `shipper config check`",
            details=[line for problem in self.problems[:MOST_SHOWN] for line in problem.lines()] + _more(self.problems),
        )


def problem(
    file: str, position: Position | None, path: KeyPath, message: str, **more: str | tuple[str, ...]
) -> ConfigProblem:
    """A ConfigProblem at a position (None: the file as a whole) and key path."""
    place = {"line": position.line, "column": position.column} if position else {}
    return ConfigProblem.model_validate(
        {"file": file, "key": dotted(path), "path": path, "message": message, **place, **more}
    )


def file_name(path: Path) -> str:
    """The path as messages show it: relative to the working directory when inside, cut from the left to 60."""
    try:
        text = str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        text = str(path)
    text = printable(text, 4096)
    return text if len(text) <= 60 else "…" + text[-59:]


def in_order(problems: Iterable[ConfigProblem]) -> list[ConfigProblem]:
    """By file and place, each once."""
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda one: (one.file, one.line or 0, one.column or 0, one.key))


def _headline(problems: Sequence[ConfigProblem]) -> str:
    files = sorted({problem.file for problem in problems})
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return f"the configuration is wrong: {count} in {' and '.join(files)}"


def _more(problems: Sequence[ConfigProblem]) -> list[str]:
    rest = len(problems) - MOST_SHOWN
    return [f"… and {rest} more"] if rest > 0 else []


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent="    ", break_on_hyphens=False, drop_whitespace=True
    )
