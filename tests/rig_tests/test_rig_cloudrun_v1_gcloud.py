"""The real gcloud reads and changes what v2 clients deployed to the rig's Cloud Run, and the reverse."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from tests.rig.api import Rig
from tests.rig.google.cloudrun import v1, v1_gcloud
from tests.rig.google.cloudrun.contract import World
from tests.rig.google.cloudrun.scripted import ScriptedInstances, ScriptedRouter
from tests.rig.google.cloudrun.v1_gcloud import Gcloud
from tests.rig.google.handle import GoogleRig
from tests.rig.google.http import HttpRequest
from tests.rig.google.server import Google, Made, running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.sample(4, of="module"),
    pytest.mark.skipif(not v1_gcloud.is_installed(), reason=v1_gcloud.REASON),
]

PARENT = "projects/demo/locations/us-central1"
NAME = f"{PARENT}/services/shop"
IMAGE = "us-central1-docker.pkg.dev/demo/app/shop@sha256:" + "1" * 64
NAMED = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


def scripted(world: World) -> Made:
    """Nothing runs: these tests are about the control plane."""
    return ScriptedInstances(), ScriptedRouter()


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    """A rig of Google Cloud in which starts are scripted."""
    with running(tmp_path / "google", step=0.05, make=scripted) as made:
        yield made


@pytest.fixture
def gcloud(google: Google, tmp_path: Path) -> Gcloud:
    """gcloud, pointed at it."""
    return Gcloud(v1_gcloud.environment(google.port, tmp_path / "gcloud", "demo", "us-central1"))


@pytest.fixture
def client(google: Google) -> run_v2.ServicesClient:
    """A client of v2, as shipper has one."""
    options, nobody = ClientOptions(api_endpoint=google.url), AnonymousCredentials()  # type: ignore[no-untyped-call]
    return run_v2.ServicesClient(transport="rest", credentials=nobody, client_options=options)


def template(revision: str, image: str = IMAGE) -> run_v2.RevisionTemplate:
    """A template as shipper writes one: named, by digest, with its own annotations and a pinned secret."""
    reference = run_v2.SecretKeySelector(secret="token", version="1")
    return run_v2.RevisionTemplate(
        revision=revision,
        annotations={"shipper.dev/release": '{"number":41}'},
        labels={"shipper-release": "41"},
        containers=[
            run_v2.Container(
                image=image,
                env=[
                    run_v2.EnvVar(name="COLOUR", value="red"),
                    run_v2.EnvVar(name="TOKEN", value_source=run_v2.EnvVarSource(secret_key_ref=reference)),
                ],
                resources=run_v2.ResourceRequirements(limits={"cpu": "2", "memory": "1Gi"}, cpu_idle=False),
                startup_probe=run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/up"), period_seconds=2),
            )
        ],
        max_instance_request_concurrency=4,
    )


def finished(operation: Any) -> run_v2.Service:
    """The operation's result."""
    service: run_v2.Service = operation.result(timeout=30)
    return service


def deployed(google: Google, client: run_v2.ServicesClient) -> run_v2.Service:
    """Two revisions by a v2 client: all traffic on the first, a tag on the second."""
    GoogleRig(google.url).add_secret("demo", "token", b"x")
    service = run_v2.Service(template=template("shop-1"), annotations={"shipper.dev/stamp": "e7 n41"})
    finished(client.create_service(parent=PARENT, service_id="shop", service=service))
    traffic = [
        run_v2.TrafficTarget(type_=NAMED, revision="shop-1", percent=100),
        run_v2.TrafficTarget(type_=NAMED, revision="shop-2", tag="next"),
    ]
    second = template("shop-2")
    second.containers[0].env[0].value = "blue"
    service = run_v2.Service(name=NAME, template=second, traffic=traffic)
    return finished(client.update_service(service=service, update_mask={"paths": ["template", "traffic"]}))


def test_gcloud_describes_what_a_v2_client_deployed(
    google: Google, client: run_v2.ServicesClient, gcloud: Gcloud
) -> None:
    service = deployed(google, client)

    seen = gcloud.json("services", "describe", "shop")

    container = seen["spec"]["template"]["spec"]["containers"][0]
    assert seen["spec"]["template"]["metadata"]["name"] == "shop-2"
    assert seen["spec"]["template"]["metadata"]["annotations"]["shipper.dev/release"] == '{"number":41}'
    assert seen["spec"]["template"]["metadata"]["annotations"]["run.googleapis.com/cpu-throttling"] == "false"
    assert seen["metadata"]["annotations"]["shipper.dev/stamp"] == "e7 n41"
    assert (container["image"], container["resources"]["limits"]) == (IMAGE, {"cpu": "2", "memory": "1Gi"})
    assert container["env"] == [
        {"name": "COLOUR", "value": "blue"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"key": "1", "name": "token"}}},
    ]
    assert [(one["revisionName"], one.get("percent"), one.get("tag")) for one in seen["status"]["traffic"]] == [
        ("shop-1", 100, None),
        ("shop-2", None, "next"),
    ]
    assert seen["status"]["url"] == service.uri
    assert [one["metadata"]["name"] for one in gcloud.json("services", "list")] == ["shop"]


def test_gcloud_lists_and_describes_revisions(google: Google, client: run_v2.ServicesClient, gcloud: Gcloud) -> None:
    deployed(google, client)

    seen = gcloud.json("revisions", "list", "--service", "shop")

    assert sorted(one["metadata"]["name"] for one in seen) == ["shop-1", "shop-2"]
    assert gcloud.json("revisions", "list", "--service", "other") == []
    one = gcloud.json("revisions", "describe", "shop-1")
    assert one["status"]["imageDigest"] == IMAGE
    assert {found["type"]: found["status"] for found in one["status"]["conditions"]}["Ready"] == "True"
    assert gcloud.run("revisions", "describe", "shop-9").returncode == 1


def test_gcloud_moves_traffic_and_nothing_else(google: Google, client: run_v2.ServicesClient, gcloud: Gcloud) -> None:
    before = deployed(google, client)

    done = gcloud.run("services", "update-traffic", "shop", "--to-revisions", "shop-1=70,shop-2=30")

    after = client.get_service(name=NAME)
    assert done.returncode == 0, done.stderr
    assert {one.revision: one.percent for one in after.traffic_statuses if one.percent} == {"shop-1": 70, "shop-2": 30}
    assert after.template == before.template
    assert after.annotations == before.annotations
    assert after.latest_created_revision == before.latest_created_revision
    assert len(google.state.list_revisions(NAME)) == 2
    assert after.etag != before.etag


def test_gcloud_deploys_a_revision_that_the_platform_names_and_that_copies_the_annotations(
    google: Google, client: run_v2.ServicesClient, gcloud: Gcloud
) -> None:
    deployed(google, client)

    done = gcloud.run("deploy", "shop", "--image", IMAGE.replace("1" * 64, "2" * 64))

    after = client.get_service(name=NAME)
    made = google.state.get_revision(after.latest_created_revision)
    assert done.returncode == 0, done.stderr
    assert made.name.rsplit("/", 1)[-1].startswith("shop-0000")
    assert (after.client, after.template.revision) == ("gcloud", "")
    assert made.annotations["shipper.dev/release"] == '{"number":41}'  # although it is no release of ours
    assert "client.knative.dev/nonce" in made.labels
    assert {one.revision: one.percent for one in after.traffic if one.percent} == {"shop-1": 100}
    assert "is serving 0 percent of traffic" in done.stderr.replace("\x1b[1m", "").replace("\x1b[m", "")


def test_gcloud_deploys_a_first_service_and_says_why_one_fails(google: Google, gcloud: Gcloud) -> None:
    image = "us-central1-docker.pkg.dev/demo/app"

    good = gcloud.run("deploy", "cart", "--image", f"{image}/cart", "--allow-unauthenticated", "--tag", "first")
    bad = gcloud.run("deploy", "cart", "--image", f"{image}/missing")

    assert (good.returncode, bad.returncode) == (0, 1)
    assert f"Image '{image}/missing' not found." in bad.stderr
    assert google.state.may_invoke(f"{PARENT}/services/cart", None)
    service = google.state.get_service(f"{PARENT}/services/cart")
    assert service.traffic_statuses[0].percent == 100
    assert [one.tag for one in service.traffic_statuses if one.tag] == ["first"]
    assert service.latest_ready_revision != service.latest_created_revision


def test_gcloud_deletes_revisions_and_services_failed_ones_too(
    google: Google, client: run_v2.ServicesClient, gcloud: Gcloud
) -> None:
    deployed(google, client)
    gcloud.run("services", "update-traffic", "shop", "--remove-tags", "next")
    crash = gcloud.run("deploy", "shop", "--image", "us-central1-docker.pkg.dev/demo/app/crash")
    assert crash.returncode == 1

    revision = gcloud.run("revisions", "delete", "shop-2")
    service = gcloud.run("services", "delete", "shop")

    assert (revision.returncode, service.returncode) == (0, 0), revision.stderr + service.stderr
    assert google.state.list_services(PARENT) == []
    assert gcloud.run("services", "describe", "shop").returncode == 1


def test_gcloud_changes_settings_of_the_service_without_a_new_revision(
    google: Google, client: run_v2.ServicesClient, gcloud: Gcloud
) -> None:
    before = deployed(google, client)

    done = gcloud.run("services", "update", "shop", "--min", "2", "--ingress", "internal")

    after = client.get_service(name=NAME)
    assert done.returncode == 0, done.stderr
    assert after.scaling.min_instance_count == 2
    assert after.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    assert after.latest_created_revision == before.latest_created_revision


def test_gcloud_writes_back_a_whole_description(
    google: Google, client: run_v2.ServicesClient, gcloud: Gcloud, tmp_path: Path
) -> None:
    before = deployed(google, client)
    (tmp_path / "shop.yaml").write_text(gcloud.run("services", "describe", "shop", "--format", "export").stdout)

    done = gcloud.run("services", "replace", str(tmp_path / "shop.yaml"))

    assert done.returncode == 0, done.stderr
    after = client.get_service(name=NAME)
    assert after.template == before.template
    assert after.latest_created_revision == before.latest_created_revision


def ask(google: Google, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One v1 request, as gcloud sends it to its proxy."""
    target = f"http://us-central1-run.rig/{path}"
    answer = v1.answer(google.state, HttpRequest(method, target, {"host": "run.rig"}, json.dumps(body or {}).encode()))
    assert answer is not None
    return answer.status, json.loads(answer.body)


def test_a_stale_resource_version_is_refused(google: Google, client: run_v2.ServicesClient) -> None:
    deployed(google, client)
    path = "apis/serving.knative.dev/v1/namespaces/demo/services/shop"
    _, read = ask(google, "GET", path)
    google.state.touch(NAME)

    status, refused = ask(google, "PUT", path, read)

    assert (status, refused["error"]["status"]) == (409, "ABORTED")
    assert client.get_service(name=NAME).client != "gcloud"


def test_a_dry_run_changes_nothing(google: Google, client: run_v2.ServicesClient) -> None:
    before = deployed(google, client)
    path = "apis/serving.knative.dev/v1/namespaces/demo/services/shop"
    _, read = ask(google, "GET", path)
    read["metadata"]["annotations"]["shipper.dev/stamp"] = "e8 n42"

    status, shown = ask(google, "PUT", f"{path}?dryRun=all", read)

    assert (status, shown["metadata"]["annotations"]["shipper.dev/stamp"]) == (200, "e8 n42")
    assert client.get_service(name=NAME) == before


def test_configurations_routes_and_unknown_calls(google: Google, client: run_v2.ServicesClient) -> None:
    deployed(google, client)
    base = "apis/serving.knative.dev/v1/namespaces/demo"

    assert ask(google, "GET", f"{base}/configurations/shop")[1]["status"]["latestReadyRevisionName"] == "shop-2"
    assert len(ask(google, "GET", f"{base}/routes")[1]["items"]) == 1
    assert ask(google, "GET", f"{base}/revisions?limit=1")[1]["metadata"] == {"continue": "1"}
    assert ask(google, "PATCH", f"{base}/services/shop")[0] == 501
    assert ask(google, "GET", f"{base}/services?fieldSelector=a%3Db")[0] == 400
    assert v1.answer(google.state, HttpRequest("GET", "/v2/projects/demo/locations/l/services")) is None


def test_gcloud_deploys_a_container_that_answers(rig: Rig, tmp_path: Path) -> None:
    with running(tmp_path / "google") as google:
        gcloud = Gcloud(v1_gcloud.environment(google.port, tmp_path / "gcloud", "demo", "us-central1"))
        words = ("--image", rig.base_image, "--command", "python3", "--args", "^@^-m@http.server@8080")

        done = gcloud.run("deploy", "shop", *words, "--allow-unauthenticated")

        assert done.returncode == 0, done.stderr
        url = gcloud.json("services", "describe", "shop")["status"]["url"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert b"Directory listing" in opener.open(url, timeout=20).read()
