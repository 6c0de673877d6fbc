"""Deleting one thing after another, where what cannot go must not end the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shipper.errors import Conflict, Denied, Invalid, NotFound, Transient
from shipper.model.context import Reporter


def delete_each(names: Iterable[str], delete: Callable[[str], None], report: Reporter | None) -> list[str]:
    """Names of those that are gone: deleted now, or gone before. Never raises an adapter's error: the write before it
    was carried out. What the platform does not let us delete stays, and is told.
    """
    gone = []
    for name in names:
        try:
            delete(name)
        except NotFound:
            pass
        except Transient as error:  # a rate limit, or nothing answers: the rest would only meet the same
            _remark(report, f"{name} and what was to go after it stay for now: {error}")
            break
        except (Conflict, Denied, Invalid) as error:
            _remark(report, f"{name} stays for now: {error}")
            continue
        gone.append(name)
    return gone


def _remark(report: Reporter | None, text: str) -> None:
    if report is not None:
        report.remark(text)
