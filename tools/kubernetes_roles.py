"""docs/reference/kubernetes-roles.md: what each command does to a cluster, from the table that preflight asks about."""

from __future__ import annotations

from collections.abc import Iterator

from shipper_targets.kubernetes.kinds import CRON_JOB
from shipper_targets.kubernetes.permissions import ALL, COMMANDS, Need, Uses, needs, required
from tools.roles import roles_page

_INTRODUCTION = """# Kubernetes: permissions

One Role for each command, with nothing more than it needs; that of `release` is enough for every other one.
`preflight` asks the API server about the lines of a release and names each verb that is missing (exit 32), with the
line for the Role. `shipper plan` asks for its own lines only, and tells what a release would lack. The tests run with
exactly these.

A line with a remark is needed with that configuration only. Take it away when the last release that had it is gone:
what such a release made is read and removed with it.

Records of releases are Secrets, and a Role cannot tell Secrets apart by label: who may release may list the Secrets of
the namespace. Give what must not be seen a namespace of its own.

## From nothing to a context

An account `releaser` in the namespace `models`, what it may do, and a context of your kubeconfig that is it. Under
`rules` stand the lines of a command below; here those of `release`, without what only some configuration needs:

```yaml
%s```

```
kubectl apply -f releaser.yaml
kubectl config set-credentials releaser --token "$(kubectl create token releaser -n models --duration 8h)"
cluster=$(kubectl config view --minify -o jsonpath='{.contexts[0].context.cluster}')
kubectl config set-context releaser --cluster "$cluster" --user releaser --namespace models
```

Then `context = "releaser"` in the target's settings. What is told earlier with more rights stands at the end; where it
says ClusterRole, it takes a ClusterRole and a ClusterRoleBinding.

## How it asks

`pods/proxy` is how shipper asks a pod, and the service where it has no address of its own: `get` for GET, `create` for
POST. Golden requests with other methods need `update` (PUT), `patch` or `delete`.
"""

_MORE = {
    "configmaps": "with [run.env]",
    "serviceaccounts": "unless service_account names one",
    "horizontalpodautoscalers": "with [scale] max above min",
    "poddisruptionbudgets": "from two pods on, unless pdb = false",
    "jobs": "with [rollout] before",
    "ingresses": "with ingress",
    "httproutes": "with gateway",
}
_OWN_MANIFESTS = """
## Your own manifests

Each kind in them, whatever the remark of its line above says, needs these verbs too (in a ClusterRole where it belongs
to no namespace):

| command | verbs |
|---|---|
"""
_AFTER_OWN = """
A rollback asks for the kinds of the release that comes back. What it may not delete of the one that goes stays, and is
told.
"""


_ACCOUNT = """apiVersion: v1
kind: ServiceAccount
metadata: {name: releaser, namespace: models}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: releaser, namespace: models}
rules:
%s---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: releaser, namespace: models}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: releaser}
subjects:
- {kind: ServiceAccount, name: releaser, namespace: models}
"""


def account() -> str:
    """What is applied for an account that may release: a whole file."""
    lines = [f"- {one.line()}\n" for one in required(needs("release", Uses(account=True)))]
    return _ACCOUNT % "".join(lines)


def page() -> str:
    """The whole page."""
    most, least = ({command: needs(command, uses) for command in COMMANDS} for uses in (ALL, Uses()))
    return (
        roles_page(_INTRODUCTION % account(), most, least, _remark)
        + _OWN_MANIFESTS
        + "".join(_own_manifests())
        + _AFTER_OWN
    )


def _own_manifests() -> Iterator[str]:
    """What each command does with a kind that nothing is generated of."""
    for command in COMMANDS:
        wanted = needs(command, Uses(others=(CRON_JOB,)))
        verbs = next(one.verbs for one in wanted if one.resource == CRON_JOB.plural)
        yield f"| {command} | {', '.join(verbs)} |\n"


def _remark(one: Need, always: bool) -> str:
    return "" if always else _MORE[one.resource]
