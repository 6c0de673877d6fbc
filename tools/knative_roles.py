"""docs/reference/knative-roles.md: what each command does to a cluster, from the table that preflight asks about."""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.knative.permissions import ALL, COMMANDS, Uses, needs
from shipper_targets.kubernetes.permissions import required

_INTRODUCTION = """# Knative: permissions

One Role for each command, with nothing more than it needs; [Kubernetes](kubernetes-roles.md) has the same for its
kind. `preflight` asks the API server about the lines of a release and names each verb that is missing (exit 32), with
the line for the Role. It asks about Secrets as such: a rule with `resourceNames` is not seen, and refused.

`pods/proxy` is how shipper asks a pod where the service's address does not lead there from here.
"""

_MORE = {
    "jobs": "with [rollout] before",
    "secrets": "with [run.secrets]",
    "pods/proxy": "without address, or cluster-local",
}
_ONCE = "get and watch with [rollout] before"


def page() -> str:
    """The whole page."""
    lines = [_INTRODUCTION]
    for command in COMMANDS:
        lines += [f"## {command}", "", *_role(command), ""]
    lines += ["## Told earlier", "", *_earlier()]
    return "\n".join(lines).rstrip() + "\n"


def _role(command: str) -> Iterator[str]:
    """YAML, and which lines depend on the configuration."""
    always = {(one.group, one.resource) for one in required(needs(command, Uses()))}
    yield "```yaml"
    yield "rules:"
    for one in required(needs(command, ALL)):
        comment = "" if (one.group, one.resource) in always else _MORE.get(one.resource, _MORE["pods/proxy"])
        if one.resource == "pods" and "watch" in one.verbs:
            comment = _ONCE
        yield f"- {one.line()}" + (f"  # {comment}" if comment else "")
    yield "```"


def _earlier() -> Iterator[str]:
    """What a release only looks at beforehand."""
    yield "A release goes on without these; then it is told later, by the platform, what preflight would have found."
    yield ""
    yield "| where | rule | what is known before the build |"
    yield "|---|---|---|"
    for one in needs("release", ALL):
        if one.why:
            yield f"| {'ClusterRole' if one.wide else 'Role'} | `{one.line()}` | {one.why} |"
