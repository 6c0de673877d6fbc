"""The base of every noun: frozen, closed, and round-tripping through JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A frozen value that knows no unknown field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def digest(self) -> str:
        """`sha256:<hex>` over the canonical JSON of this value (sorted keys, no white space)."""
        return digest_of(self.model_dump(mode="json"))


class Product(Noun):
    """What a stage returns. Products round-trip through JSON with a schema number (the journal keeps them)."""

    schema_number: ClassVar[int] = 1

    def to_record(self) -> dict[str, Any]:
        """A JSON-ready record: `{"schema": n, "type": "Image", "value": {...}}`."""
        return {
            "schema": self.schema_number,
            "type": type(self).__name__,
            "value": self.model_dump(mode="json"),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The inverse of `to_record`. Raises ValueError when the schema or the type is another one."""
        if record.get("schema") != cls.schema_number or record.get("type") != cls.__name__:
            raise ValueError(
                f"not a {cls.__name__} of schema {cls.schema_number}: "
                f"{record.get('type')!r} of schema {record.get('schema')!r}"
            )
        return cls.model_validate(record["value"])


def digest_of(value: Any) -> str:
    """`sha256:<hex>` over the canonical JSON of any JSON-ready value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
