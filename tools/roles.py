"""A page about permissions: a Role for each command, from the table that preflight asks about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from shipper_targets.kubernetes.permissions import Need, required

Needs = Mapping[str, Sequence[Need]]
"""Command to what it does."""
Remark = Callable[[Need, bool], str]
"""On a rule, which is always needed or with some configuration only; empty where there is nothing to remark."""


def roles_page(introduction: str, most: Needs, least: Needs, remark: Remark) -> str:
    """The whole page: `most` is what is needed with some configuration, `least` what is needed with every one."""
    lines = [introduction]
    for command, needs in most.items():
        always = {(one.group, one.resource) for one in required(least[command])}
        lines += [f"## {command}", "", "```yaml", "rules:"]
        for one in required(needs):
            comment = remark(one, (one.group, one.resource) in always)
            lines.append(f"- {one.line()}" + (f"  # {comment}" if comment else ""))
        lines += ["```", ""]
    release = dict.fromkeys([*most["release"], *least["release"]])
    return "\n".join([*lines, "## Told earlier", "", *_told_earlier(release)]) + "\n"


def _told_earlier(release: Iterable[Need]) -> Iterator[str]:
    """What a release only looks at beforehand."""
    yield "A release, and a plan of one, goes on without these; then it is told later, by the platform, what preflight"
    yield "would have found."
    yield ""
    yield "| where | rule | what is known before the build |"
    yield "|---|---|---|"
    for one in release:
        if one.why:
            yield f"| {'ClusterRole' if one.wide else 'Role'} | `{one.line()}` | {one.why} |"
