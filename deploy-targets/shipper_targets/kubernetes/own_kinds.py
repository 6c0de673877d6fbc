"""The kinds of own manifests as the cluster knows them: only it can tell which belong to no namespace."""

from __future__ import annotations

from shipper.model import Problem
from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.manifest import Rendered
from shipper_targets.kubernetes.refusals import own_key
from shipper_targets.kubernetes.scopes import CLUSTER_SCOPED
from shipper_targets.kubernetes.settings import KubernetesSettings


def kinds_of(api: Api, whole: Rendered, own: KubernetesSettings) -> tuple[list[Kind], list[Problem]]:
    """Those that are known, and what is wrong with the others. Raises Denied, Transient."""
    kinds, problems = list[Kind](), list[Problem]()
    for one in whole.manifests:
        try:
            kind = api.kind_of(one.api_version, one.kind)
        except Invalid as error:
            hint = "apply its CustomResourceDefinition by itself first"
            problems.append(Problem(code=2, key=own_key(own), message=f"{one.key}: {error}", hint=hint))
            continue
        kinds.append(kind)
        if not kind.namespaced and not own.manifests_cluster_scoped:
            what, _, hint = CLUSTER_SCOPED.partition("; ")
            problems.append(Problem(code=2, key=own_key(own), message=f"{one.key} {what}", hint=hint))
    return kinds, problems
