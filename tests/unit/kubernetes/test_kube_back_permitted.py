"""A rollback asks before its first write for what the manifests of then need, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from shipper.model import Release, Stamp
from shipper.targets import Denied, Invalid, PlatformError, TargetContext, Transient
from shipper.targets.conformance import Values
from shipper_targets.kubernetes.access import RULES_REVIEW
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.kinds import CONFIG_MAP, CRON_JOB, NETWORK_POLICY, WELL_KNOWN, Kind
from shipper_targets.kubernetes.manifest import Manifest, Rendered, rendered
from shipper_targets.kubernetes.records import Record, Records, secret_of
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.rolling import RollingTarget
from tests.unit.kubernetes.kube_found import LABELS
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

WIDGET = Kind("example.com", "v1", "widgets", "Widget")
POLICY = Kind("kyverno.io", "v1", "clusterpolicies", "ClusterPolicy", namespaced=False)
EVERY = [*WELL_KNOWN.values(), WIDGET, POLICY]


class Cluster(Api):
    """Has records of releases, and allows everything but `forbidden`, (verb, resource) each."""

    def __init__(self, forbidden: Iterable[tuple[str, str]] = (), *, silent: PlatformError | None = None) -> None:
        self.namespace = "shops"
        self.secrets = dict[str, dict[str, Any]]()
        self._forbidden, self._silent = {*forbidden}, silent
        self.asked = set[tuple[str, str, str]]()

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> dict[str, Any]:
        return self.secrets[name]

    def kind_of(self, api_version: str, kind: str) -> Kind:
        for one in EVERY:
            if (one.api_version, one.kind) == (api_version, kind):
                return one
        raise Invalid(f"this cluster does not know {api_version} {kind}")

    def create(self, kind: Kind, body: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        if self._silent is not None:
            raise self._silent
        if kind == RULES_REVIEW:
            return {}
        asked = body["spec"]["resourceAttributes"]
        self.asked.add((asked["verb"], asked["resource"], asked.get("namespace", "")))
        return {"status": {"allowed": (asked["verb"], asked["resource"]) not in self._forbidden}}


class FirstWrite(Exception):
    """Nothing is asked from here on."""


class Fence:
    """Where writes begin."""

    @contextmanager
    def telling(self) -> Iterator[None]:
        yield

    def enter(self, *_: Any, **__: Any) -> Found:
        raise FirstWrite


class Told:
    """Remarks that were made."""

    def __init__(self) -> None:
        self.remarks = list[str]()

    def remark(self, text: str) -> None:
        self.remarks.append(text)


def _id(number: int) -> str:
    return f"01ARZ3NDEKTSV4RRFFQ69000{number:02}"


def manifests_of(release: Release, *kinds: Kind, immutable: bool = False) -> Rendered:
    """A Deployment of the project's own, and one object of each kind beside it."""
    main = render(release, own(), "rolling")
    more = [
        Manifest(
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "metadata": {"name": "nightly", "namespace": "shops"},
                **({"immutable": True} if immutable else {}),
            }
        )
        for one in kinds
    ]
    return rendered([main.main, *more], main.workload)


def recorded(api: Cluster, release: Release, whole: Rendered) -> Record:
    secret = secret_of("shop", release, whole, {}, "shops")
    secret["metadata"]["uid"] = f"record {release.number}"
    api.secrets[secret["metadata"]["name"]] = secret
    return Record(secret)


def goes_back(
    api: Cluster,
    *kinds: Kind,
    serving: Rendered | None = None,
    again: bool = False,
    route: dict[str, Any] | None = None,
    **target: Any,
) -> Told:
    """From #2, which is applied as `serving`, to #1 with an object of each of these kinds."""
    first, second = (release_of(number=number, release_id=_id(number)) for number in (1, 2))
    back = first.model_copy(update={"id": _id(3), "number": 3, "rollback_to": 1})
    records = [
        recorded(api, first, manifests_of(first, *kinds)),
        recorded(api, second, serving or manifests_of(second, *kinds)),
        *([recorded(api, back, manifests_of(back, *kinds))] if again else []),
    ]
    marks = {"shipper.dev/release": second.id, "shipper.dev/number": "2"}
    deployment = {"kind": "Deployment", "metadata": {"name": "shop", "labels": LABELS, "annotations": marks}}
    found = Found(base="shop", shape="rolling", routes=False, deployments=[deployment], records=records, route=route)
    told = Told()
    report: Any = told
    rolling = RollingTarget(TargetContext("kube", settings_of(), {}, Values({}), report), own(**target))
    reading = SimpleNamespace(now=lambda: found, live=lambda _: None, records=Records(api, "shop", ""))
    rolling.__dict__.update(_api=api, _reading=reading, _fence=Fence())
    with pytest.raises(FirstWrite):
        rolling.replace(back, Stamp(), "")
    return told


OWN: dict[str, Any] = {"manifests": ["deploy/"]}


@pytest.mark.parametrize("target", [OWN, {}], ids=["with its files", "from elsewhere"])
@pytest.mark.parametrize("kind", [CRON_JOB, WIDGET, CONFIG_MAP], ids=str)
@pytest.mark.parametrize("verb", ["get", "create", "patch"])
def test_a_kind_that_may_not_be_written_is_named(kind: Kind, verb: str, target: dict[str, Any]) -> None:
    with pytest.raises(Denied) as caught:
        goes_back(Cluster([(verb, kind.plural)]), kind, **target)

    resource = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    assert str(caught.value) == f"permission to {verb} {resource} in namespace shops is missing"


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_what_pods_start_without_is_asked_for_where_it_changes(verb: str) -> None:
    api = Cluster([(verb, "networkpolicies")])
    assert goes_back(api, NETWORK_POLICY, **OWN).remarks == []
    with pytest.raises(Denied, match=f"permission to {verb} networkpolicies"):
        goes_back(api, NETWORK_POLICY, serving=manifests_of(release_of(), CRON_JOB), **OWN)


def test_what_pods_start_without_is_read_in_any_case() -> None:
    with pytest.raises(Denied, match="permission to get networkpolicies"):
        goes_back(Cluster([("get", "networkpolicies")]), NETWORK_POLICY, **OWN)


def test_what_belongs_to_no_namespace_is_asked_of_the_whole_cluster() -> None:
    api = Cluster([("patch", "clusterpolicies")])

    with pytest.raises(Denied, match=r"patch clusterpolicies\.kyverno\.io in the cluster"):
        goes_back(api, POLICY, **OWN)

    assert ("patch", "clusterpolicies", "") in api.asked


def test_a_route_of_a_gateway_of_before_is_moved_and_that_has_to_be_permitted() -> None:
    forbidden = [("patch", "httproutes")]
    goes_back(Cluster(forbidden))
    with pytest.raises(Denied, match="permission to patch httproutes"):
        goes_back(Cluster(forbidden), route={"kind": "HTTPRoute", "metadata": {"name": "shop"}})


def test_what_those_manifests_do_not_have_is_not_asked_for() -> None:
    """Neither what is generated elsewhere nor what later manifests have."""
    api = Cluster()
    later = manifests_of(release_of(), NETWORK_POLICY)

    goes_back(api, CRON_JOB, serving=later)

    assert {resource for verb, resource, _ in api.asked if verb == "patch"} == {"deployments", "services", "cronjobs"}


def test_what_is_kept_needs_no_right_to_be_deleted() -> None:
    api = Cluster([("delete", "cronjobs")])

    assert goes_back(api, CRON_JOB, **OWN).remarks == []

    assert {resource for verb, resource, _ in api.asked if verb == "delete"} == set()


def test_what_would_go_and_may_not_be_deleted_is_told_and_is_no_reason_to_stay() -> None:
    api = Cluster([("delete", "cronjobs"), ("delete", "widgets")])
    later = manifests_of(release_of(), CRON_JOB, NETWORK_POLICY, WIDGET)

    told = goes_back(api, NETWORK_POLICY, serving=later, **OWN)

    assert told.remarks == [
        "Widget/nightly stays: permission to delete widgets.example.com in namespace shops is missing",
        "CronJob/nightly stays: permission to delete cronjobs.batch in namespace shops is missing",
    ]


def test_what_never_changes_stays_with_its_record() -> None:
    later = manifests_of(release_of(), CONFIG_MAP, immutable=True)

    assert goes_back(Cluster([("delete", "configmaps")]), serving=later, **OWN).remarks == []


def test_a_kind_that_the_cluster_has_no_more_is_the_writes_to_tell() -> None:
    stranger = Kind("gone.example.com", "v1", "things", "Thing")

    goes_back(Cluster(), stranger, serving=manifests_of(release_of(), stranger, CRON_JOB), **OWN)


@pytest.mark.parametrize("silent", [Transient("it does not answer"), Denied("one may not ask")], ids=str)
def test_an_authorizer_that_does_not_answer_is_no_reason_to_stay(silent: PlatformError) -> None:
    goes_back(Cluster(silent=silent), CRON_JOB, **OWN)


def test_what_was_here_before_is_put_back_without_a_question() -> None:
    """A rollback that served, and is brought back because a later release failed."""
    api = Cluster([("patch", "cronjobs")])

    goes_back(api, CRON_JOB, again=True, **OWN)

    assert api.asked == set()
