"""Requests through the rig's edge: Services, weights, changes under load, and the statuses that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conftest import needed_or_skipped
from tests.rig import load
from tests.rig.api import Rig
from tests.rig.kubernetes.handle import KubeRig
from tests.rig_tests.pods_on_the_rig import Object, Pods, pods_in
from tests.rig_tests.service_images import ServiceImages, service_images

pytestmark = [pytest.mark.integration, pytest.mark.sample(5, of="module")]

READY = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
LINGER = {"preStop": {"sleep": {"seconds": 1}}}
GATEWAY = "gateway.networking.k8s.io/v1"


@pytest.fixture
def pods(kube_rig: KubeRig) -> Iterator[Pods]:
    with pods_in(kube_rig) as found:
        if found.rig.router.status()["edge"] is None:
            needed_or_skipped("there is no engine that this machine can reach: no edge")
        yield found


@pytest.fixture(scope="module")
def images(rig: Rig) -> Iterator[ServiceImages]:
    with service_images(rig) as made:
        yield made


def serve(pods: Pods, name: str, image: str, replicas: int = 1) -> None:
    """A Deployment and its Service, which take their leave in time."""
    pods.deploy(name, image, replicas=replicas, readinessProbe=READY, lifecycle=LINGER)
    pods.service(name, name)


def host(pods: Pods, name: str = "shop") -> str:
    return f"{name}-{pods.namespace}.rig.test"


def parent(pods: Pods, kind: str, name: str = "shop") -> Object:
    """A condition of a route's only parent; {} while there is none."""
    parents = pods.get(GATEWAY, "httproutes", name).get("status", {}).get("parents", [])
    conditions = parents[0]["conditions"] if parents else []
    return next((one for one in conditions if one["type"] == kind), {})


def test_an_unknown_host_has_no_route(kube_rig: KubeRig) -> None:
    found = kube_rig.router.get("nobody.rig.test")
    assert (found.status, found.body) == (404, "no route for nobody.rig.test\n")


def test_the_rigs_gateway_is_programmed(kube_rig: KubeRig) -> None:
    kube_rig.cluster.own("have a Gateway of its own")
    status, found = kube_rig.request("GET", f"/apis/{GATEWAY}/namespaces/rig-gateway/gateways/rig")
    assert status == 200
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert conditions == {"Accepted": "True", "Programmed": "True"}
    assert found["status"]["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]


def test_a_service_answers_by_its_own_name_and_says_which_pod(pods: Pods, images: ServiceImages) -> None:
    serve(pods, "shop", images.make("good", "one"), replicas=2)
    name = f"shop.{pods.namespace}.svc.rig.test"
    pods.rig.router.until(name, 200)
    pods.until(lambda: pods.is_ready("shop", 2))
    pods.until(lambda: len({pods.rig.router.get(name).pod for _ in range(4)}) == 2)
    found = pods.rig.router.get(name)
    assert (found.body, found.service) == ("one", "shop")
    assert found.pod in [pod["metadata"]["name"] for pod in pods.of("shop")]


def test_a_service_without_ready_pods_is_503(pods: Pods, images: ServiceImages) -> None:
    serve(pods, "shop", images.make("never-ready", ""))
    name = f"shop.{pods.namespace}.svc.rig.test"
    assert pods.rig.router.until(name, 503).body == "no ready endpoints\n"


def test_weights_are_kept_over_four_hundred_requests(pods: Pods, images: ServiceImages) -> None:
    serve(pods, "stable", images.make("good", "stable"), replicas=2)
    serve(pods, "canary", images.make("good", "canary"))
    pods.http_route("shop", host(pods), {"stable": 90, "canary": 10})
    pods.until(lambda: pods.is_ready("stable", 2) and pods.is_ready("canary"))
    assert settled(pods, {"stable": 2, "canary": 1})
    assert 34 <= answers(pods, 400)["canary"] <= 46
    pods.until(lambda: parent(pods, "Accepted").get("status") == "True")
    generation = pods.get(GATEWAY, "httproutes", "shop")["metadata"]["generation"]
    assert parent(pods, "ResolvedRefs").items() >= {"status": "True", "observedGeneration": generation}.items()


def test_weights_and_pods_change_under_load_without_a_lost_request(pods: Pods, images: ServiceImages) -> None:
    serve(pods, "stable", images.make("good", "stable"), replicas=2)
    serve(pods, "canary", images.make("good", "canary"))
    pods.http_route("shop", host(pods), {"stable": 100, "canary": 0})
    pods.until(lambda: pods.is_ready("stable", 2) and pods.is_ready("canary"))
    assert settled(pods, {"stable": 2})
    with load.start(edge(pods), rate=60, host=host(pods)) as running:
        for share in (10, 50, 100):
            pods.http_route("shop", host(pods), {"stable": 100 - share, "canary": share})
            pods.until(lambda share=share: share_of_canary(pods) == share)  # type: ignore[misc]
        serve(pods, "canary", images.make("good", "next"), replicas=2)
        pods.until(lambda: rolled_out(pods, "canary", 2))
        pods.until(lambda: pods.rig.router.get(host(pods)).body == "next")
        result = running.stop()
    assert result.failures == {}
    assert set(result.by_body) == {"stable", "canary", "next"}
    print(f"{result.sent} requests, p99 {result.p99_ms} ms, {dict(result.by_body)}")


def test_a_pod_that_ends_at_once_loses_requests(pods: Pods, images: ServiceImages) -> None:
    """Nothing here hides a pod that goes before its endpoint does: with no preStop some requests are refused."""
    pods.deploy("shop", images.make("good", "one"), replicas=1, readinessProbe=READY)
    pods.service("shop", "shop")
    pods.rig.router.until(f"shop.{pods.namespace}.svc.rig.test", 200)
    with load.start(edge(pods), rate=200, host=f"shop.{pods.namespace}.svc.rig.test") as running:
        pods.rig.nodes.kill(pods.namespace, pods.of("shop")[0]["metadata"]["name"])
        pods.until(lambda: pods.container("shop").get("restartCount") == 1 and pods.is_ready("shop"))
        result = running.stop()
    assert result.failed > 0


def test_a_backend_that_is_not_there_is_said_and_answers_500(pods: Pods) -> None:
    pods.http_route("shop", host(pods), {"nobody": 1})
    pods.until(lambda: parent(pods, "ResolvedRefs").get("reason") == "BackendNotFound")
    assert parent(pods, "Accepted")["status"] == "True"
    pods.rig.router.until(host(pods), 500)


def test_a_route_that_the_rig_cannot_carry_is_not_accepted(pods: Pods) -> None:
    rules = [{"matches": [{"path": {"type": "Exact", "value": "/buy"}}], "backendRefs": [{"name": "shop", "port": 80}]}]
    pods.http_route("shop", host(pods), {}, rules=rules)
    pods.until(lambda: parent(pods, "Accepted").get("reason") == "UnsupportedValue")
    assert pods.rig.router.get(host(pods)).status == 404


def test_a_deleted_route_is_gone(pods: Pods, images: ServiceImages) -> None:
    serve(pods, "shop", images.make("good", "one"))
    pods.http_route("shop", host(pods), {"shop": 1})
    pods.rig.router.until(host(pods), 200)
    pods.delete("httproutes", "shop", GATEWAY)
    pods.rig.router.until(host(pods), 404)


def test_an_ingress_and_a_load_balancer_get_their_addresses(pods: Pods, images: ServiceImages) -> None:
    pods.deploy("shop", images.make("good", "one"), readinessProbe=READY)
    pods.service("shop", "shop", type="LoadBalancer")
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    spec = {"ingressClassName": "rig", "rules": [{"host": host(pods), "http": paths}]}
    pods.apply("networking.k8s.io/v1", "Ingress", "ingresses", "shop", {"spec": spec})
    assert pods.rig.router.until(host(pods), 200).body == "one"
    for group, plural in (("networking.k8s.io/v1", "ingresses"), ("v1", "services")):
        pods.until(lambda g=group, p=plural: bool(balancer(pods, g, p)))  # type: ignore[misc]
        assert balancer(pods, group, plural)[0]["ip"] == "127.0.0.1"


def test_knative_splits_by_revision_and_tag(knative_rig: KubeRig, images: ServiceImages) -> None:
    with pods_in(knative_rig) as pods:
        traffic: list[Object] = [{"revisionName": "shop-v1", "percent": 100}]
        knative(pods, "shop-v1", images.make("good", "one"), traffic)
        pods.until(lambda: ready(pods))
        traffic = [
            {"revisionName": "shop-v1", "percent": 75},
            {"revisionName": "shop-v2", "percent": 25, "tag": "green"},
        ]
        knative(pods, "shop-v2", images.make("good", "two"), traffic)
        pods.until(lambda: ready(pods))
        status = pods.get("serving.knative.dev/v1", "services", "shop")["status"]
        address = status["url"].removeprefix("http://")
        tagged = next(one["url"] for one in status["traffic"] if one.get("tag") == "green").removeprefix("http://")
        assert pods.rig.router.until(tagged, 200).service == "shop-v2"
        pods.until(lambda: {pods.rig.router.get(address).body for _ in range(8)} == {"one", "two"})
        found = Counter(pods.rig.router.get(address).service for _ in range(200))
        assert 40 <= found["shop-v2"] <= 60


def test_what_is_held_of_knative_is_neither_routed_nor_said_to_be(knative_rig: KubeRig, images: ServiceImages) -> None:
    with pods_in(knative_rig) as pods:
        knative(pods, "shop-v1", images.make("good", "one"), [{"revisionName": "shop-v1", "percent": 100}])
        pods.until(lambda: ready(pods))
        address = pods.get("serving.knative.dev/v1", "services", "shop")["status"]["url"].removeprefix("http://")
        assert pods.rig.router.until(address).body == "one"

        pods.rig.router.hold(pods.namespace)
        knative(pods, "shop-v2", images.make("good", "two"), [{"revisionName": "shop-v2", "percent": 100}])
        pods.until(lambda: routes_ready(pods).get("reason") == "IngressNotConfigured")
        assert pods.rig.router.get(address).body == "one"

        pods.rig.router.hold(pods.namespace, "no certificate for it")
        pods.until(lambda: routes_ready(pods).get("message") == "no certificate for it")
        assert routes_ready(pods)["status"] == "False"
        assert pods.rig.router.get(address).body == "one"

        pods.rig.router.release(pods.namespace)
        pods.until(lambda: ready(pods))
        assert pods.rig.router.until(address).body == "two"


@pytest.mark.parametrize(("behaviour", "reason"), [("crash", "ExitCode3"), ("missing", "ImagePullBackOff")])
def test_a_failed_revision_says_why(knative_rig: KubeRig, behaviour: str, reason: str) -> None:
    with pods_in(knative_rig) as pods:
        pods.rig.nodes.behave(behaviour, namespace=pods.namespace, code=3, lines=["cannot load the model"])
        metadata = {"name": "shop-v1", "annotations": {"serving.knative.dev/progress-deadline": "5s"}}
        template = {"metadata": metadata, "spec": {"containers": [{"image": "rig.test/shop:1"}]}}
        pods.apply("serving.knative.dev/v1", "Service", "services", "shop", {"spec": {"template": template}})
        pods.until(lambda: failed_revision(pods) == reason)


def failed_revision(pods: Pods) -> str:
    """The reason why the revision is not ready; "" while that is open."""
    found = pods.all_of("revisions", "serving.knative.dev/v1")
    ready = pods.condition(found[0], "Ready") if found and "status" in found[0] else {}
    return str(ready.get("reason", "")) if ready.get("status") == "False" else ""


def knative(pods: Pods, revision: str, image: str, traffic: list[Object]) -> None:
    keep = {"autoscaling.knative.dev/scale-to-zero-pod-retention-period": "5m"}  # nothing here wakes from zero
    template = {"metadata": {"name": revision, "annotations": keep}, "spec": {"containers": [{"image": image}]}}
    body = {"spec": {"template": template, "traffic": traffic}}
    pods.apply("serving.knative.dev/v1", "Service", "services", "shop", body)


def routes_ready(pods: Pods) -> Object:
    """What the Service says of its routes, of the traffic that is asked for; {} before that."""
    found = pods.get("serving.knative.dev/v1", "services", "shop")
    asked, told = (found[part].get("traffic", []) for part in ("spec", "status"))
    same = [one["revisionName"] for one in asked] == [one["revisionName"] for one in told]
    return pods.condition(found, "RoutesReady") if same else {}


def ready(pods: Pods) -> bool:
    found = pods.get("serving.knative.dev/v1", "services", "shop")
    current: bool = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    return current and pods.condition(found, "Ready").get("status") == "True"


def edge(pods: Pods) -> int:
    port: int = pods.rig.router.status()["edge"]
    return port


def answers(pods: Pods, count: int) -> Counter[str]:
    return Counter(pods.rig.router.get(host(pods)).body for _ in range(count))


def routed(pods: Pods) -> dict[str, int]:
    """The servers of the test's route with their weights."""
    found: dict[str, int] = next(
        (one["servers"] for one in pods.rig.router.status()["routes"] if one["host"] == host(pods)), {}
    )
    return found


def settled(pods: Pods, counts: dict[str, int]) -> bool:
    """Wait until so many pods of each Service get requests."""

    def seen() -> bool:
        names = [name.split(":") for name, weight in routed(pods).items() if weight]
        return Counter(service for pod, _, service in names if pod) == counts

    pods.until(seen)
    return True


def share_of_canary(pods: Pods) -> int:
    """In percent, rounded, as the router has programmed it."""
    weights = routed(pods)
    canary = sum(weight for name, weight in weights.items() if name.endswith(":canary"))
    return round(100 * canary / (sum(weights.values()) or 1))


def rolled_out(pods: Pods, name: str, replicas: int) -> bool:
    found = pods.get("apps/v1", "deployments", name)
    status = found["status"]
    done: bool = status.get("observedGeneration") == found["metadata"]["generation"]
    return done and status.get("updatedReplicas") == status.get("availableReplicas") == replicas == len(pods.of(name))


def balancer(pods: Pods, group: str, plural: str) -> list[Object]:
    found: list[Object] = pods.get(group, plural, "shop").get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return found
