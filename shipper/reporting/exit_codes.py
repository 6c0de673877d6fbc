"""Exit codes with their meanings, for the final block, `shipper version --exit-codes` and the reference page."""

from __future__ import annotations

from shipper import errors

_WITHOUT_AN_ERROR = {
    0: "done, verified at the printed proof level",
    3: "`plan --exit-code`: there are changes",
    10: "the gate refused: lint; nothing written",
    12: "the gate refused: findings; nothing written",
    17: "the gate refused: SBOM or a command's result; nothing written",
}
"""Codes of no class of their own: a good end, and reasons that only the gate gives."""


def exit_codes_table() -> list[tuple[int, str]]:
    """Rows (code, meaning), ordered by code. Errors that share a code share the meaning of the first of them."""
    meanings = dict(_WITHOUT_AN_ERROR)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ShipperError) and "code" in vars(kind):
            meanings.setdefault(kind.code, kind.meaning)
    return sorted(meanings.items())


def meaning_of(code: int) -> str:
    """The meaning of a code; empty for one that shipper does not use."""
    return dict(exit_codes_table()).get(code, "")
