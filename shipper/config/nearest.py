"""The valid name that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHORT = 60
_MOST = 20


def nearest(name: str, known: Iterable[str]) -> str:
    """The closest of the known names, ignoring case, `-` and `_`; empty when none is close."""
    plain = {_plain(one): one for one in known}
    wanted = _plain(name[:_SHORT])
    if wanted in plain:
        return plain[wanted]
    close = difflib.get_close_matches(wanted, plain, n=1, cutoff=0.6) if wanted else []
    return plain[close[0]] if close else _beginning(wanted, plain)


def did_you_mean(name: str, known: Iterable[str], *, what: str) -> str:
    """`did you mean "run"?`, or the names that there are."""
    names = list(known)
    near = nearest(name, names)
    if near:
        return f'did you mean "{near}"?'
    more = ", …" if len(names) > _MOST else ""
    return f"{what}: {', '.join(names[:_MOST])}{more}" if names else f"{what}: none"


def _beginning(wanted: str, plain: dict[str, str]) -> str:
    """`environment` for `env`, `repo` for `repository`: one begins with the other."""
    if len(wanted) < 3:
        return ""
    for known, name in plain.items():
        if known.startswith(wanted) or (len(known) >= 3 and wanted.startswith(known)):
            return name
    return ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
