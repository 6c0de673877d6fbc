"""What every kind on a cluster asks before a release: is the namespace there, may we, are the secrets there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from shipper.model import Problem, Settings
from shipper.targets import Denied, Invalid, NotFound
from shipper_targets.kubernetes.access import Access
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import NAMESPACE
from shipper_targets.kubernetes.kube_secrets import KubeSecrets
from shipper_targets.kubernetes.permissions import Need, required
from shipper_targets.kubernetes.secret_refs import SCHEME
from shipper_targets.kubernetes.values import Object, is_leaving, leaving

DEFAULT_PLATFORM = "linux/amd64"

NO_WAY = "is there a way to it from here, such as a VPN or a proxy? `kubectl cluster-info` asks the same cluster"
"""Where the cluster does not answer."""

NOT_AS_EXPECTED = (
    "does this context lead to the cluster that is meant, and to a version that shipper knows (docs/targets)? "
    "`kubectl version` with the same context says which one answers"
)
"""Where the cluster's answer to a plain question is neither there nor refused."""

Command = Literal["plan", "release"]
"""Before which all of this is asked."""


def namespace_of(api: Api, name: str) -> tuple[Object, list[Problem]]:
    """The namespace, {} where we may not read it. Raises Transient."""
    try:
        there = api.get(NAMESPACE, name)
    except Denied:
        return {}, []
    except NotFound:
        hint = f"kubectl create namespace {name}, or correct the name"
        return {}, [Problem(code=2, key="targets.namespace", message=f"there is no namespace {name}", hint=hint)]
    if is_leaving(there):
        message = f"namespace {name} is being deleted"
        return there, [Problem(code=2, key="targets.namespace", message=message, hint="wait, or use another")]
    return there, []


def leaving_problem(what: str, there: Object) -> Problem:
    """`what` is being deleted: a release over it would be lost with it."""
    hint = "wait until it is gone, or take the finalizer away"
    return Problem(code=2, key="targets", message=f"{what} is {leaving(there)}", hint=hint)


def require_namespace(api: Api, name: str) -> None:
    """Where nothing was found: is that the right place? Raises Invalid, Transient."""
    there, problems = namespace_of(api, name)
    if problems and not there:
        raise Invalid(f"{problems[0].message} ({problems[0].hint})")


def nothing_can_be_made(api: Api) -> tuple[str, ...]:
    """Why, where the namespace is not there, or is on its way out: what runs in it ends by itself. Raises Transient."""
    return tuple(problem.message for problem in namespace_of(api, api.namespace)[1])


def permission_problems(
    api: Api,
    needs: Callable[[Command], Iterable[Need]],
    command: Command,
    namespace: str,
    remark: Callable[[str], None],
) -> list[Problem]:
    """What this command needs and we may not do there. What only tells beforehand what else is found out later is a
    remark, and so is, of a plan, what a release needs besides. Raises Denied, Transient.
    """
    access = Access(api)
    missing = access.missing(needs(command))
    unknown = [f"{one.why} ({', '.join(one.verbs)} {one.resource})" for one in missing if one.why]
    if unknown:
        remark(f"not known beforehand, for want of the permission: {'; '.join(unknown)}")
    problems = [forbidden(one, namespace) for one in missing if not one.why]
    if command != "release" and not problems:
        lacking = access.missing(required(needs("release")))
        if lacking:
            shown = "; ".join(f"{', '.join(one.verbs)} {resource_of(one)}" for one in lacking)
            remark(f"a release would be refused (32), without the permission to {shown}")
    return problems


def secret_versions(api: Api, settings: Settings) -> tuple[dict[str, str], list[Problem]]:
    """Of each secret of the configuration. Other schemes are the traits' to refuse. Raises Transient."""
    secrets, versions, problems = KubeSecrets(api), dict[str, str](), list[Problem]()
    for name, reference in settings.run.secrets.items():
        if not reference.startswith(SCHEME):
            continue
        try:
            versions |= secrets.versions({name: reference})
        except (NotFound, Invalid) as error:
            hint = "create it in this namespace, or correct the reference"
            problems.append(Problem(code=2, key=f"run.secrets.{name}", message=str(error), hint=hint))
        except Denied as error:
            hint = "verb get on secrets"
            problems.append(Problem(code=32, key=f"run.secrets.{name}", message=str(error), hint=hint))
    return versions, problems


def the_one(platforms: Sequence[str]) -> str:
    """The platform of all nodes; where they differ, or nobody can say, the usual one."""
    return platforms[0] if len(platforms) == 1 else DEFAULT_PLATFORM


def resource_of(one: Need) -> str:
    """As people say it: deployments.apps."""
    return f"{one.resource}.{one.group}" if one.group else one.resource


def forbidden(one: Need, namespace: str) -> Problem:
    """What is missing, with the line for the Role."""
    where = "in the cluster" if one.wide else f"in namespace {namespace}"
    return Problem(
        code=32,
        key="targets.context",
        message=f"permission to {' and '.join(one.verbs)} {resource_of(one)} {where} is missing",
        hint=f"a line for the Role: - {one.line()}",
    )
