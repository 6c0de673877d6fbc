"""docs/reference/kubernetes-roles.md: what each command does to a cluster, from the table that preflight asks about."""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.kubernetes.permissions import ALL, COMMANDS, Uses, needs, required

_INTRODUCTION = """# Kubernetes: permissions

One Role for each command, with nothing more than it needs. `preflight` asks the API server about the lines of a
release and names each verb that is missing (exit 32), with the line for the Role. The tests run with exactly these.

A line with a remark is needed with that configuration only. Take it away when the last release that had it is gone:
what such a release made is read and removed with it.

Records of releases are Secrets, and a Role cannot tell Secrets apart by label: who may release may list the Secrets of
the namespace. Give what must not be seen a namespace of its own.

`pods/proxy` is how shipper asks a pod, and the service where it has no address of its own: `get` for GET, `create` for
POST. Golden requests with other methods need `update` (PUT), `patch` or `delete`.
"""

_MORE = {
    "configmaps": "with `[run.env]`",
    "serviceaccounts": "unless `service_account` names one",
    "horizontalpodautoscalers": "with `[scale] max` above `min`",
    "poddisruptionbudgets": "from two pods on, unless `pdb = false`",
    "jobs": "with `[rollout] before`",
    "ingresses": "with `ingress`",
    "httproutes": "with `gateway`",
}


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
        comment = "" if (one.group, one.resource) in always else f"  # {_MORE[one.resource].replace('`', '')}"
        yield f"- {one.line()}{comment}"
    yield "```"


def _earlier() -> Iterator[str]:
    """What a release only looks at beforehand."""
    yield "A release goes on without these; then it is told later, by the platform, what preflight would have found."
    yield ""
    yield "| where | rule | what is known before the build |"
    yield "|---|---|---|"
    for one in needs("release", ALL):
        if one.why:
            where = "ClusterRole" if one.wide else "Role"
            yield f"| {where} | `{one.line()}` | {one.why} |"
    yield ""
    yield "With own manifests every kind in them needs `get, create, patch, delete` too."
