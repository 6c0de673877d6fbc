"""What stays on a Docker host and what goes: warm revisions, secrets, images, and everything at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.model import ImageRef, TargetSpec
from shipper.targets import Invalid, NotFound
from tests.integration.docker_host.conftest import Place, Service
from tests.rig.api import Rig

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("keep", "state"), [("running", "running"), ("stopped", "stopped"), ("none", None)])
def test_what_becomes_of_the_previous_revision(place: Place, keep: str, state: str | None) -> None:
    shop = place.service(keep=keep)
    release = shop.next()
    old, new = shop.serve(release), shop.serve()
    shop.retire(old)
    found = {revision.name: revision.state for revision in shop.target.revisions()}
    assert found.get(old.name) == state
    assert old.name not in place.by_hand("show servers state")
    back = shop.serve(release)  # whatever it takes: started again, or made again
    assert back.name == old.name
    assert shop.ask().revision == old.name
    assert new.name in {revision.name for revision in shop.target.revisions()}


def test_a_removed_revision_is_gone_and_removing_it_again_is_no_error(place: Place, shop: Service) -> None:
    old = shop.serve()
    shop.serve()
    for _ in range(2):
        shop.retire(old, to="removed")
    assert [name for name in place.leftovers() if old.name in name] == []
    assert shop.ask().text == "v2"


def test_remove_leaves_nothing_of_this_service_and_everything_of_another(own_place: Place) -> None:
    shop, cart = own_place.service("shop", secrets={"TOKEN": "abc"}), own_place.service("cart")
    shop.serve()
    cart.serve(VERSION="cart")
    shop.target.remove()
    assert [name for name in own_place.leftovers() if "shop" in name] == []
    assert cart.ask().text == "cart"
    assert shop.target.observe().revisions == ()
    cart.target.remove()
    assert own_place.leftovers() == []
    cart.target.remove()


def test_a_secret_is_a_file_that_only_the_service_can_read(place: Place) -> None:
    shop = place.service(secrets={"TOKEN": "s3cret-value"})
    revision = shop.serve()
    assert shop.ask("/secret").text == "s3cret-value 1234 0o600 1234"
    container = place.client.containers.list(filters={"name": f"^{place.namespace}-{revision.name}"})[0]
    assert "s3cret-value" not in str(container.attrs)
    nobody = container.exec_run(["cat", "/run/secrets/TOKEN"], user="4321")
    assert nobody.exit_code != 0


def test_the_values_of_then_come_back_with_the_revision_of_then(own_place: Place) -> None:
    shop = own_place.service(secrets={"TOKEN": "old"})
    release = shop.next()
    old = shop.serve(release)
    shop.secrets.values["TOKEN"] = "new"
    shop.serve()
    assert shop.ask("/secret").text.startswith("new ")
    shop.retire(old)
    own_place.client.containers.get(f"{own_place.namespace}-{old.name}").remove(force=True)
    shop.secrets.values.clear()  # such as on another machine
    shop.serve(release)
    assert shop.ask("/secret").text.startswith("old ")
    assert len(_secret_volumes(own_place)) == 2


def test_a_volume_that_was_left_half_filled_is_filled_again(own_place: Place) -> None:
    shop = own_place.service(secrets={"TOKEN": "whole"})
    release = shop.next()
    revision = shop.ready(release)
    shop.retire(revision, to="removed")
    assert _secret_volumes(own_place) == []  # swept with the last container that used it
    shop.serve(release)
    name = _secret_volumes(own_place)[0]
    own_place.client.containers.run(
        shop.image, ["rm", "/v/TOKEN", "/v/.filled"], user="0", volumes={name: {"bind": "/v"}}, remove=True
    )
    shop.serve(shop.next())
    assert shop.ask("/secret").text.startswith("whole ")
    assert _secret_volumes(own_place) == [name]


def test_an_image_is_known_by_its_config_digest_alone(shop: Service) -> None:
    assert shop.target.has(shop.image) == shop.image
    assert shop.target.has("sha256:" + "0" * 64) is None
    unknown = ImageRef(config_digest="sha256:" + "0" * 64, reference="nothing", platform="linux/amd64")
    with pytest.raises(NotFound, match="no image with config digest"):
        shop.create(shop.next().model_copy(update={"images": {"main": unknown}}))


def test_an_image_of_a_registry_is_pulled_by_digest_and_proved(place: Place, shop: Service, rig: Rig) -> None:
    repository = f"{rig.registry}/{place.namespace}"
    place.client.images.get(shop.image).tag(repository, "1")
    place.client.images.push(repository, "1")
    manifest = str(place.client.images.get_registry_data(f"{repository}:1").id)
    place.client.images.remove(f"{repository}:1")
    swapped = ImageRef(
        config_digest="sha256:" + "1" * 64,
        manifest_digest=manifest,
        reference=f"{repository}@{manifest}",
        platform="linux/amd64",
    )
    with pytest.raises(Invalid, match="not the tested"):
        shop.create(shop.next().model_copy(update={"images": {"main": swapped}}))
    tested = swapped.model_copy(update={"config_digest": shop.image})
    shop.serve(shop.next().model_copy(update={"images": {"main": tested}}))
    assert shop.ask().status == 200
    place.client.images.remove(f"{repository}@{manifest}")


def test_loading_a_saved_image_gives_its_config_digest(shop: Service, tmp_path: Path, place: Place) -> None:
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in place.client.images.get(shop.image).save():
            file.write(chunk)
    assert shop.target.load(archive) == shop.image


def test_a_taken_port_is_named_before_the_build_and_refused_at_the_write(own_place: Place) -> None:
    own_place.service("other").serve()
    late = Place(own_place.client, f"{own_place.namespace}-late", own_place.port, own_place.image)
    try:
        service = late.service()
        (problem,) = service.target.preflight(TargetSpec(settings=service.settings, target="docker"))
        assert (problem.code, problem.key) == (2, "targets.port")
        assert f"{own_place.namespace}-proxy" in problem.message
        with pytest.raises(Invalid, match=f"port {own_place.port} of the host is taken"):
            service.create()
        assert "proxy" not in " ".join(late.leftovers())
    finally:
        late.clean_up()


@pytest.mark.parametrize("host", ["unix:///no/such.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_does_not_answer_is_a_problem_33(place: Place, host: str) -> None:
    shop = place.service(host=host)
    (problem,) = shop.target.preflight(TargetSpec(settings=shop.settings, target="docker"))
    assert problem.code == 33


def _secret_volumes(place: Place) -> list[str]:
    return [name for name in place.leftovers() if "-secrets-" in name]
