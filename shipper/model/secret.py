"""A value that cannot be printed, pickled or written to JSON by accident."""

from __future__ import annotations

from typing import Any, NoReturn


class Secret:
    """Holds one secret value. Only `reveal()` gives it out; search for that word to find every use."""

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: bytes) -> None:
        self.name = name
        self._value = value

    def reveal(self) -> bytes:
        """The value itself, for writing it where it must go."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, ***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be serialised")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.name, self._value) == (other.name, other._value)

    def __hash__(self) -> int:
        return hash(self.name)


def redact(text: str, secrets: tuple[Secret, ...]) -> str:
    """`text` with every secret value of 4 characters or more replaced by `***` (line by line for long values)."""
    for secret in secrets:
        for part in _parts(secret.reveal()):
            text = text.replace(part, "***")
    return text


def _parts(value: bytes) -> list[str]:
    whole = value.decode("utf-8", "replace").strip()
    lines: list[Any] = [whole, *(line.strip() for line in whole.splitlines())]
    return sorted({part for part in lines if len(part) >= 4}, key=len, reverse=True)
