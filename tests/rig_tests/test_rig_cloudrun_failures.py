"""The rig's Cloud Run when a revision fails, and when another write comes in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2

from tests.rig.google.clients import Calls, Transport, finished, template, to
from tests.rig.google.cloudrun import scripted
from tests.rig.google.cloudrun.contract import World
from tests.rig.google.cloudrun.scripted import ScriptedInstances
from tests.rig.google.server import Google, running

pytestmark = pytest.mark.unit


class Made:
    """Makes the scripted parts, and keeps the instances for the test."""

    instances: ScriptedInstances

    def __call__(self, world: World) -> scripted.Parts:
        parts = scripted.make(world)
        self.instances = parts[0]
        return parts


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
def google(tmp_path_factory: pytest.TempPathFactory, made: Made) -> Iterator[Google]:
    with running(tmp_path_factory.mktemp("google"), step=0.01, make=made) as one:
        yield one


@pytest.fixture(params=["grpc", "rest"])
def run(google: Google, request: pytest.FixtureRequest) -> Calls:
    transport: Transport = request.param
    return Calls(google.url, transport)


def reason(revision: run_v2.Revision, condition: str = "Ready") -> str:
    found = next(one for one in revision.conditions if one.type_ == condition)
    common, own = run_v2.Condition.CommonReason(found.reason), run_v2.Condition.RevisionReason(found.revision_reason)
    return str((common or own).name)


LISTEN = (
    "Revision 'web-2' is not ready and cannot serve traffic. The user-provided container failed to start and listen"
)


@pytest.mark.parametrize(
    ("image", "code", "words", "why"),
    [
        ("crash", 400, LISTEN, "HEALTH_CHECK_CONTAINER_ERROR"),
        ("missing", 404, "Image 'docker.io/rig/missing' not found", "CONTAINER_MISSING"),
        ("denied", 403, "must have permission to read the image", "CONTAINER_PERMISSION_DENIED"),
    ],
)
def test_a_failed_revision_is_kept_and_what_served_still_does(
    run: Calls, image: str, code: int, words: str, why: str
) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    with pytest.raises(GoogleAPICallError, match=words) as failed:
        run.update("template,traffic", template=template(image, "web-2"), traffic=[to("web-2", 100)])
    assert failed.value.code == code
    service = run.get()
    assert service.template.revision == "web-2", "the wrong template is what is wanted now"
    assert service.traffic[0].revision == "web-2"
    assert run.routed() == [("web-1", 100, "")], "and the last serving state is what is routed"
    assert service.latest_created_revision.endswith("/web-2")
    assert service.latest_ready_revision.endswith("/web-1")
    assert (service.generation, service.observed_generation) == (2, 1)
    assert run.states() == {"Ready": "FAILED", "RoutesReady": "FAILED", "ConfigurationsReady": "FAILED"}
    assert reason(run.revision("web-2")) == why


def test_after_a_failed_revision_a_write_of_traffic_does_what_it_says_and_still_ends_with_the_error(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    with pytest.raises(GoogleAPICallError):
        run.update(
            "template,traffic", template=template("crash", "web-2"), traffic=[to("web-1", 100), to("web-2", 0, "n2")]
        )
    with pytest.raises(GoogleAPICallError, match="Revision 'web-2' is not ready") as failed:
        run.update("traffic", traffic=[to("web-1", 100, "again")])
    assert failed.value.code == 400
    assert run.routed() == [("web-1", 100, "again")]
    assert run.states() == {"Ready": "FAILED", "RoutesReady": "SUCCEEDED", "ConfigurationsReady": "FAILED"}
    service = run.update("template,traffic", template=template("shop", "web-3"), traffic=[to("web-3", 100)])
    assert service.generation == service.observed_generation == 4, "a good revision heals it"


def test_a_failed_first_release_leaves_a_service_that_serves_nothing(run: Calls) -> None:
    with pytest.raises(GoogleAPICallError, match="failed to start and listen"):
        run.create("crash", "web-1", [to("web-1", 100)])
    service = run.get()
    assert run.routed() == []
    assert service.latest_ready_revision == ""
    assert service.observed_generation == 0
    with pytest.raises(GoogleAPICallError, match="already exists"):
        run.create("shop", "web-2")


def test_latest_stays_with_the_latest_that_is_ready(run: Calls) -> None:
    run.create("shop", "web-1")
    with pytest.raises(GoogleAPICallError, match="'web-2' is not ready"):
        run.update("template", template=template("crash", "web-2"))
    assert run.routed() == [("LATEST", 100, "")]
    assert run.get().latest_ready_revision.endswith("/web-1")
    assert run.states()["RoutesReady"] == "SUCCEEDED"


def test_traffic_to_a_revision_that_is_not_there_changes_no_route(run: Calls) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    with pytest.raises(GoogleAPICallError, match="Revision 'web-9' does not exist or is deleted") as failed:
        run.update("traffic", traffic=[to("web-9", 100)])
    assert failed.value.code == 500
    assert run.routed() == [("web-1", 100, "")]
    assert run.states() == {"Ready": "FAILED", "RoutesReady": "FAILED", "ConfigurationsReady": "SUCCEEDED"}


def test_while_it_reconciles_the_old_state_serves(run: Calls, made: Made) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    operation = run.send("template,traffic", template=template("slow", "web-2"), traffic=[to("web-2", 100)])
    service = run.get()
    assert service.reconciling
    assert run.routed() == [("web-1", 100, "")]
    assert set(run.states().values()) == {"RECONCILING"}
    assert not operation.done()
    made.instances.release()
    assert finished(operation).observed_generation == 2
    assert run.routed() == [("web-2", 100, "")]


def test_a_newer_write_ends_the_operation_before_it(run: Calls, made: Made) -> None:
    run.create("shop", "web-1", [to("web-1", 100)])
    first = run.send("template,traffic", template=template("slow", "web-2"), traffic=[to("web-2", 100)])
    second = run.send("traffic", traffic=[to("web-1", 100, "back")])
    with pytest.raises(GoogleAPICallError, match="superseded") as ended:
        finished(first)
    assert ended.value.code == 409
    made.instances.release()
    assert finished(second).generation == 3
    assert run.routed() == [("web-1", 100, "back")]


def test_a_service_deleted_while_it_starts_ends_what_was_started(run: Calls, made: Made) -> None:
    first = run.send_create(run_v2.Service(template=template("slow", "web-1")))
    finished(run.services.delete_service(name=run.name))
    made.instances.release()
    with pytest.raises(GoogleAPICallError, match="superseded"):
        finished(first)
    assert f"{run.name}/revisions/web-1" in made.instances.stopped


def test_a_secret_that_cannot_be_read_fails_the_revision(run: Calls) -> None:
    source = {"secret_key_ref": {"secret": "token", "version": "1"}}
    wanted = template("shop", "web-1", container={"env": [{"name": "TOKEN", "value_source": source}]})
    with pytest.raises(
        GoogleAPICallError, match=r"secret_key_ref\.name: Secret projects/demo/secrets/token/versions/1 was"
    ):
        finished(run.send_create(run_v2.Service(template=wanted)))
    assert reason(run.revision("web-1")) == "SECRETS_ACCESS_CHECK_FAILED"
