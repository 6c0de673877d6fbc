"""The rig's Cloud Run through the real client, on both transports: what a release tool does when all goes well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2
from google.longrunning import operations_pb2

from tests.rig.google.clients import Calls, Transport, finished, template, to
from tests.rig.google.cloudrun import scripted
from tests.rig.google.cloudrun.settling import floors
from tests.rig.google.handle import GoogleRig
from tests.rig.google.server import Google, running

pytestmark = pytest.mark.unit


@pytest.fixture(params=["grpc", "rest"])
def run(google: Google, request: pytest.FixtureRequest) -> Iterator[Calls]:
    transport: Transport = request.param
    yield Calls(google.url, transport)
    google.state.wipe("demo")


def test_it_answers_while_it_runs_and_not_after(tmp_path: Path) -> None:
    with running(tmp_path, make=scripted.make) as google:
        assert GoogleRig(google.url).answers()
    assert not GoogleRig(google.url).answers()


def test_a_first_release_serves_and_reads_back_with_the_defaults_of_the_service(run: Calls) -> None:
    service = run.create("shop", "web-1", [to("web-1", 100)], labels={"team": "a"})
    assert run.routed() == [("web-1", 100, "")]
    assert run.states() == {"Ready": "SUCCEEDED", "RoutesReady": "SUCCEEDED", "ConfigurationsReady": "SUCCEEDED"}
    assert service.generation == service.observed_generation == 1
    assert service.latest_ready_revision == service.latest_created_revision == f"{run.name}/revisions/web-1"
    assert service.uri.startswith("http://127.0.0.1:")
    assert list(service.urls) == [service.uri]
    assert not service.reconciling
    filled = service.template
    assert service.ingress == run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL
    assert filled.timeout.total_seconds() == 300
    assert filled.max_instance_request_concurrency == 80
    assert filled.scaling.max_instance_count == 100
    assert filled.service_account.endswith("-compute@developer.gserviceaccount.com")
    container = filled.containers[0]
    assert dict(container.resources.limits) == {"cpu": "1000m", "memory": "512Mi"}
    assert container.resources.cpu_idle
    assert container.ports[0].container_port == 8080
    assert (container.startup_probe.tcp_socket.port, container.startup_probe.timeout_seconds) == (8080, 240)


def test_the_revision_is_a_copy_of_the_template(run: Calls) -> None:
    wanted = template("shop", "web-1", annotations={"shipper.dev/release": "7"}, labels={"number": "7"})
    finished(run.send_create(run_v2.Service(template=wanted)))
    revision = run.revision("web-1")
    assert revision.containers[0].image == "docker.io/rig/shop"
    assert dict(revision.annotations) == {"shipper.dev/release": "7"}
    assert dict(revision.labels) == {"number": "7"}
    assert revision.service == "web"
    assert "revision_name%3D%22web-1" in revision.log_uri
    states = {one.type_: run_v2.Condition.State(one.state).name for one in revision.conditions}
    assert set(states) == {"Ready", "ContainerHealthy", "ContainerReady", "ResourcesAvailable", "Active"}
    assert set(states.values()) == {"CONDITION_SUCCEEDED"}


def test_a_new_revision_without_traffic_is_reachable_by_its_tag_and_then_takes_it_all(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    service = run.update(
        "template,traffic",
        template=template("shop2", "web-2"),
        traffic=[to("web-1", 100), to("web-2", 0, "green")],
    )
    tagged = next(status for status in service.traffic_statuses if status.tag == "green")
    assert tagged.uri.startswith("http://127.0.0.1:")
    assert tagged.uri != service.uri
    for percent in (10, 50):
        run.update("traffic", traffic=[to("web-1", 100 - percent), to("web-2", percent, "green")])
        assert run.routed() == [("web-1", 100 - percent, ""), ("web-2", percent, "green")]
    run.update("traffic", traffic=[to("web-2", 100)])
    assert run.routed() == [("web-2", 100, "")]
    names = [revision.name.rsplit("/", 1)[-1] for revision in run.revisions.list_revisions(parent=run.name)]
    assert names == ["web-2", "web-1"], "a write of traffic makes no revision; the newest comes first"


def test_going_back_is_one_write_of_traffic_and_latest_ready_stays_the_newer_one(run: Calls, google: Google) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    run.update("template,traffic", template=template("shop2", "web-2"), traffic=[to("web-2", 100)])
    service = run.update("traffic", traffic=[to("web-1", 100)])
    assert run.routed() == [("web-1", 100, "")]
    assert service.latest_ready_revision.endswith("/web-2")
    active = {one.type_: one for one in run.revision("web-2").conditions}["Active"]
    assert (active.state, active.message) == (run_v2.Condition.State.CONDITION_FAILED, "Revision retired.")


def test_no_traffic_at_all_means_the_latest_ready_revision(run: Calls) -> None:
    run.create("shop")
    assert run.routed() == [("LATEST", 100, "")]
    made = run.get().latest_ready_revision.rsplit("/", 1)[-1]
    assert made.startswith("web-00001-")
    run.update("template", template=template("shop2"))
    assert run.get().latest_ready_revision.rsplit("/", 1)[-1].startswith("web-00002-")


def test_a_stale_etag_is_refused_and_the_current_one_is_not(run: Calls) -> None:
    first = run.create("shop", "web-1", [to("web-1", 100)])
    second = run.update("annotations", etag=first.etag, annotations={"a": "1"})
    assert second.etag != first.etag
    with pytest.raises(GoogleAPICallError, match=r"version .* was specified but current version is") as refused:
        run.update("annotations", etag=first.etag, annotations={"a": "2"})
    assert refused.value.code == 409
    with pytest.raises(GoogleAPICallError) as refused:
        run.services.delete_service(run_v2.DeleteServiceRequest(name=run.name, etag=first.etag))
    assert refused.value.code == 409
    assert dict(run.get().annotations) == {"a": "1"}


def test_a_mask_changes_what_it_names_and_leaves_the_rest(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)], annotations={"a": "1"}, labels={"team": "b"})
    service = run.update(
        "annotations,scaling.min_instance_count", annotations={"c": "2"}, scaling={"min_instance_count": 2}
    )
    assert dict(service.annotations) == {"c": "2"}
    assert dict(service.labels) == {"team": "b"}
    assert service.scaling.min_instance_count == 2
    assert service.template.containers[0].image == "docker.io/rig/shop"
    assert service.generation == 2


def test_a_mask_clears_what_the_body_does_not_have(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)], annotations={"a": "1"}, scaling={"min_instance_count": 2})
    service = run.update("annotations,scaling.min_instance_count")
    assert dict(service.annotations) == {}
    assert service.scaling.min_instance_count == 0
    assert run.routed() == [("web-1", 100, "")]


def test_without_a_mask_the_body_replaces_everything(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)], annotations={"a": "1"})
    run.update(template=template("shop", "web-1"))
    assert dict(run.get().annotations) == {}
    assert run.routed() == [("LATEST", 100, "")]


def test_an_unknown_path_is_ignored_and_the_sparse_body_applied_wholesale(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    with pytest.raises(GoogleAPICallError, match=r"template\.containers: must have at least one container") as refused:
        run.update("labels.team", labels={"team": "c"})
    assert refused.value.code == 400
    with pytest.raises(GoogleAPICallError, match="already exists") as refused:
        run.update("labels.team", labels={"team": "c"}, template=template("shop", "web-1", labels={"x": "y"}))
    assert refused.value.code == 409


def test_a_revision_name_is_never_free_again(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    with pytest.raises(GoogleAPICallError, match="Revision named 'web-1' with different configuration") as refused:
        run.update("template", template=template("shop2", "web-1"))
    assert refused.value.code == 409
    run.update("template,traffic", template=template("shop2", "web-2"), traffic=[to("web-2", 100)])
    finished(run.revisions.delete_revision(name=f"{run.name}/revisions/web-1"))
    with pytest.raises(GoogleAPICallError, match="does not exist") as refused:
        run.revision("web-1")
    assert refused.value.code == 404
    with pytest.raises(GoogleAPICallError, match="already exists"):
        run.update("template", template=template("shop", "web-1"))


def test_what_can_receive_traffic_or_is_the_latest_cannot_be_deleted(run: Calls, google: Google) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    run.update(
        "template,traffic", template=template("shop2", "web-2"), traffic=[to("web-1", 100), to("web-2", 0, "n2")]
    )
    for revision, words in (("web-1", "can receive traffic"), ("web-2", "can receive traffic")):
        with pytest.raises(GoogleAPICallError, match=words) as refused:
            run.revisions.delete_revision(name=f"{run.name}/revisions/{revision}")
        assert refused.value.code == 400
    run.update("traffic", traffic=[to("web-1", 100)])
    with pytest.raises(GoogleAPICallError, match="latest revision of its service"):
        run.revisions.delete_revision(name=f"{run.name}/revisions/web-2")
    assert google.state.find_revision("demo", "web-2") is not None


def test_validate_only_fills_in_and_keeps_nothing(run: Calls) -> None:
    operation = run.send_create(run_v2.Service(template=template("shop", "web-1")), validate_only=True)
    assert finished(operation).template.max_instance_request_concurrency == 80
    with pytest.raises(GoogleAPICallError) as refused:
        run.get()
    assert refused.value.code == 404
    with pytest.raises(GoogleAPICallError, match=r"docker\.pkg\.dev or docker\.io but obtained ghcr\.io/a/b"):
        run.send_create(run_v2.Service(template=template("ghcr.io/a/b")), validate_only=True)


def test_creating_twice_is_refused_and_allow_missing_creates(run: Calls) -> None:
    service = run_v2.Service(name=run.name, template=template("shop", "web-1"))
    missing = run_v2.UpdateServiceRequest(service=service)
    with pytest.raises(GoogleAPICallError, match="Resource 'web' of kind 'SERVICE' in region 'us-central1'") as refused:
        run.services.update_service(missing)
    assert refused.value.code == 404
    missing.allow_missing = True
    assert finished(run.services.update_service(missing)).generation == 1
    with pytest.raises(GoogleAPICallError, match="already exists") as refused:
        run.create("shop", "web-9")
    assert refused.value.code == 409


def test_a_deleted_service_is_gone_when_its_operation_is_done(run: Calls, google: Google) -> None:
    run.create("shop", "web-1")
    assert finished(run.services.delete_service(name=run.name)).delete_time is not None
    with pytest.raises(GoogleAPICallError) as refused:
        run.get()
    assert refused.value.code == 404
    assert list(run.services.list_services(parent=run.parent)) == []
    assert run.create("shop", "web-1").generation == 1, "a new service: its names are free"


def test_lists_come_in_pages(run: Calls) -> None:
    run.create("shop", "web-1")
    for number in range(2, 6):
        run.update("template", template=template("shop", f"web-{number}"))
    pages = run.revisions.list_revisions(run_v2.ListRevisionsRequest(parent=run.name, page_size=2)).pages
    assert [len(page.revisions) for page in pages] == [2, 2, 1]


def test_operations_can_be_waited_for_and_listed(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    started = run.send("traffic", traffic=[to("web-1", 100, "a")]).operation
    assert not started.done
    asked = operations_pb2.WaitOperationRequest(name=started.name)
    asked.timeout.FromSeconds(10)
    waited = run.services.wait_operation(asked)
    if isinstance(waited, bytes):  # google-cloud-run 0.16.2 forgets to read this answer over gRPC
        waited = operations_pb2.Operation.FromString(waited)
    assert waited.done
    assert not waited.HasField("error")
    listed = run.services.list_operations(operations_pb2.ListOperationsRequest(name=run.parent))
    assert started.name in {operation.name for operation in listed.operations}
    run.services.delete_operation(operations_pb2.DeleteOperationRequest(name=started.name))
    with pytest.raises(GoogleAPICallError) as refused:
        run.services.get_operation(operations_pb2.GetOperationRequest(name=started.name))
    assert refused.value.code == 404


def test_a_write_may_ask_for_what_is_there_already(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    service = run.update("template", template=template("shop", "web-1"))
    assert service.generation == 2
    assert len(list(run.revisions.list_revisions(parent=run.name))) == 1, "the same template makes no revision"


def test_the_smallest_number_of_instances_follows_traffic_and_tags(google: Google) -> None:
    run = Calls(google.url, "grpc", project="minimum")
    shown = template("shop", "web-1", scaling={"min_instance_count": 2})
    finished(run.send_create(run_v2.Service(template=shown, traffic=[to("web-1", 100)])))
    run.update("template,traffic", template=template("shop2", "web-2"), traffic=[to("web-2", 100)])
    run.update("scaling", scaling={"min_instance_count": 3})
    kept = google.state._kept(run.name)
    assert floors(kept) == {f"{run.name}/revisions/web-1": 0, f"{run.name}/revisions/web-2": 3}
    google.state.wipe("minimum")
