"""docs/reference/knative-roles.md: what each command does to a cluster, from the table that preflight asks about."""

from __future__ import annotations

from shipper_targets.knative.permissions import ALL, COMMANDS, Uses, needs
from shipper_targets.kubernetes.permissions import Need
from tools.roles import roles_page

_INTRODUCTION = """# Knative: permissions

One Role for each command, with nothing more than it needs; [Kubernetes](kubernetes-roles.md) has the same for its
kind, and how an account, its Role and a context are made, which is the same here. The Role of `release` is enough for
every other command. `preflight` asks the API server about the lines of a release and names each verb that is missing
(exit 32), with the line for the Role; `shipper plan` asks for its own lines only, and tells what a release would lack.
Secrets are asked about as such: a rule with `resourceNames` is not seen, and refused.

`pods/proxy` is how shipper asks a pod where the service's address does not lead there from here: needed without
`address` and for what is cluster-local. With `address` a release asks a new revision through it while what serves has
failed, and goes on without.
"""

_MORE = {
    "jobs": "with [rollout] before",
    "secrets": "with [run.secrets]",
    "pods/proxy": "without address, or cluster-local",
}
_ONCE = "get and watch with [rollout] before"


def page() -> str:
    """The whole page."""
    most, least = ({command: needs(command, uses) for command in COMMANDS} for uses in (ALL, Uses()))
    return roles_page(_INTRODUCTION, most, least, _remark)


def _remark(one: Need, always: bool) -> str:
    """Which configuration it comes with; of the pods' verbs some do."""
    if one.resource == "pods" and "watch" in one.verbs:
        return _ONCE
    return "" if always else _MORE.get(one.resource, _MORE["pods/proxy"])
