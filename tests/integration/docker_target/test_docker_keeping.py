"""What stays on a Docker host so that a release of then can come back, and what goes, when, and when not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.model import ImageRef
from shipper.targets import Invalid, NotFound
from shipper_targets.docker import cleaning, old_images
from tests.integration.docker_target.conftest import eventually
from tests.rig.api import Rig

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.mark.sample(1)
@pytest.mark.parametrize(("to", "state"), [("warm", "running"), ("stopped", "stopped"), ("removed", None)])
def test_what_becomes_of_the_previous_revision(service: Any, to: str, state: str | None) -> None:
    release = service.release("old")
    old, new = service.serve(release=release), service.serve("new")
    service.retire(old, to=to)
    service.retire(old, to=to)  # again is no error
    found = {revision.name: revision.state for revision in service.target.revisions()}
    assert found == {new.name: "running", **({old.name: state} if state else {})}
    way_back = service.target.restorable(release)
    assert (way_back.warm, way_back.problems) == (state == "running", ())
    back = service.serve(release=release)  # whatever it takes: shifted to, started again, or made again
    assert (back.name, service.ask().text) == (old.name, "old")


def test_the_records_tell_everything_to_somebody_who_knows_only_the_place(service: Any) -> None:
    first = service.release("old", command=("python", "-u", "/obedient.py"), GREETING="Grüße\n'$(x)'")
    service.serve(release=first)
    large = [{"name": f"golden {at}", "method": "POST", "body": "x" * 65_000} for at in range(6)]
    second = service.release("new").model_copy(
        update={"settings": service.settings(smoke={"requests": large}), "commit": "a" * 40, "rollback_to": 1}
    )
    service.serve(release=second)
    stranger = service.host.service(service.name, health={"path": "/other"})
    assert stranger.target.records() == [first, second]
    service.host.engine.containers.get(service.host.proxy).stop(timeout=1)
    try:
        assert stranger.target.records() == [first, second], "the proxy need not run"
    finally:
        service.host.engine.containers.get(service.host.proxy).start()


def test_a_container_whose_record_is_lost_still_tells_how_it_runs(service: Any) -> None:
    release = service.release("old", memory=200_000_000)
    service.serve(release=release)
    service.host.in_the_proxy(f"rm /state/services/{service.name}/releases/*")
    (found,) = service.target.records()
    assert (found.id, found.number, found.fingerprint, found.main.config_digest) == (
        release.id, release.number, release.fingerprint, release.main.config_digest,
    )  # fmt: skip
    assert found.settings.runtime() == release.settings.runtime()


def test_what_cannot_come_back_says_what_is_missing(shared_host: Any, rig: Rig) -> None:
    service = shared_host.service(secrets={"TOKEN": "abc", "PIN": "1"})
    release = service.release()
    gone = ImageRef(config_digest="sha256:" + "0" * 64, reference="shop:1", platform="linux/amd64")
    service.keys.values = None
    lost = service.target.restorable(release.model_copy(update={"images": {"main": gone}}))
    image, values = lost.problems
    assert image == "the image shop:1 is not on the host any more and was never in a registry"
    assert values.startswith("the values of PIN, TOKEN of then are not on this host any more: pass --secrets current")
    digest = "sha256:" + "1" * 64
    published = gone.model_copy(
        update={"manifest_digest": digest, "reference": f"{rig.registry}/{shared_host.namespace}@{digest}"}
    )
    (problem, _) = service.target.restorable(release.model_copy(update={"images": {"main": published}})).problems
    assert problem.startswith("the image ")
    assert problem.endswith("is neither on the host nor in its registry any more")


def test_a_secret_is_a_file_that_only_the_service_can_read(shared_host: Any) -> None:
    service = shared_host.service(secrets={"TOKEN": "s3cret-value"})
    revision = service.serve()
    assert service.ask("/secret").text == "s3cret-value 1234 0o600 1234"
    assert "s3cret-value" not in str(service.container(revision).attrs)
    assert service.container(revision).exec_run(["cat", "/run/secrets/TOKEN"], user="4321").exit_code != 0


def test_the_values_of_then_come_back_with_the_release_of_then(host: Any) -> None:
    service = host.service(secrets={"TOKEN": "old"})
    release = service.release()
    old = service.serve(release=release)
    service.keys.values = {"TOKEN": "new"}
    new = service.serve()
    assert service.ask("/secret").text.startswith("new ")
    service.retire(old, to="removed")
    assert len(host.secret_volumes()) == 2
    service.keys.values = None  # such as on another machine
    assert service.target.restorable(release).problems == ()
    service.serve(release=release)
    assert service.ask("/secret").text.startswith("old ")
    service.retire(new, to="removed")
    service.collect(release.number)
    assert len(host.secret_volumes()) == 2, "too young: a run at work may be about to use it"


def test_values_of_now_never_go_under_the_versions_of_then(shared_host: Any) -> None:
    service = shared_host.service(secrets={"TOKEN": "then"})
    release = service.release()
    service.keys.values = {"TOKEN": "now"}
    with pytest.raises(NotFound, match="the values of TOKEN of then are not on this host"):
        service.create(release)
    assert service.target.restorable(release).problems


@pytest.mark.sweep
def test_a_volume_that_was_left_half_filled_is_filled_again(host: Any) -> None:
    service = host.service(secrets={"TOKEN": "whole"})
    first = service.ready(service.release())
    service.retire(first, to="removed")
    (name,) = host.secret_volumes()
    host.engine.containers.run(
        host.image, ["rm", "/v/TOKEN", "/v/.filled"], user="0", volumes={name: {"bind": "/v"}}, remove=True
    )
    service.serve()
    assert service.ask("/secret").text.startswith("whole ")
    assert host.secret_volumes() == [name]


def test_every_machine_finds_the_same_key_for_secret_versions(host: Any) -> None:
    one, other = host.service("one"), host.service("other")
    assert one.target.secret_key() is None
    key = one.target.make_secret_key()
    assert len(key) >= 16
    assert [each.target.secret_key() for each in (one, other)] == [key, key]
    assert other.target.make_secret_key() == key
    assert host.in_the_proxy("stat -c %a /state/secret-key").strip() == "600"
    host.engine.containers.get(host.proxy).remove(force=True)
    assert other.target.secret_key() == key, "from the volume alone"


def test_clean_up_takes_what_no_kept_release_needs_and_nothing_else(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = host.service("shop", secrets={"TOKEN": "first"})
    releases = [service.release("one")]
    service.serve(release=releases[0])
    image = host.another_image("two")
    for name, token in (("two", "second"), ("three", "first")):
        service.keys.values = {"TOKEN": token}
        release = service.release(name)
        if name == "two":
            release = release.model_copy(update={"images": {"main": image}})
        releases.append(release)
        service.serve(release=release)
    helper = host.engine.api.create_container(
        host.image, command=["never"], labels={"shipper.namespace": host.namespace, "shipper.helper": "yes"}
    )["Id"]
    # While another test's volume here is without its proxy, nobody can tell which images it needs: none are taken.
    assert eventually(lambda: "image" in {one.kind for one in service.garbage(1)}, seconds=60)
    assert service.garbage(1, 2, 3) == []
    monkeypatch.setattr(cleaning, "GRACE", -60.0)
    (left,) = service.garbage(1, 2, 3)
    assert (left.kind, left.why) == ("leftover", "a run that was killed left it")

    found = {(one.kind, one.name) for one in service.garbage(1)}
    two, three = releases[1:]
    assert {kind for kind, _ in found} == {"revision", "record", "secrets", "image", "leftover"}
    assert ("record", f"2-{two.id}") in found
    assert len([name for kind, name in found if kind == "secrets"]) == 1, "the third release uses the first's values"
    service.collect(1)
    assert [record.number for record in service.target.records()] == [1, 3], "what serves stays, whatever is asked"
    assert service.target.has(image.config_digest) is None
    assert len(host.secret_volumes()) == 1
    assert service.ask().text == "three"
    assert service.target.restorable(releases[0]).warm
    assert service.target.restorable(two).problems
    assert service.garbage(1) == []
    assert not [one for one in host.engine.api.containers(all=True) if one["Id"] == helper]
    assert three.number == 3


def test_clean_up_leaves_an_image_that_another_service_may_go_back_to(host: Any) -> None:
    dev, staging = host.service("shop"), host.service("shop", environment="staging")
    image = host.another_image("shared")
    for service in (dev, staging):
        first = service.serve(release=service.release("one").model_copy(update={"images": {"main": image}}))
        service.serve("two")
        service.retire(first, to="removed")
    dev.collect(2)
    assert staging.target.restorable(staging.target.records()[0]).problems == ()
    staging.collect(2)
    assert staging.target.has(image.config_digest) is None


def test_a_build_that_was_never_released_is_let_go_after_a_day(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    service = host.service("shop")
    service.serve()
    image = host.another_image("built")

    def let_go() -> set[str]:
        return {one.name for one in service.garbage() if one.kind == "image"}

    assert image.reference not in let_go()
    monkeypatch.setattr(old_images, "ABANDONED_AFTER", -60.0)
    assert eventually(lambda: image.reference in let_go(), seconds=60)
    assert image.reference not in {one.name for one in service.target.garbage([], {image.config_digest})}
    service.serve(release=service.release().model_copy(update={"images": {"main": image}}))
    assert image.reference not in let_go()


def test_clean_up_leaves_alone_what_came_into_use_since_it_looked(service: Any) -> None:
    first = service.serve("one")
    service.serve("two")
    garbage = service.garbage()
    assert first.name in {one.name for one in garbage}
    service.shift(first)
    gone = service.target.collect(garbage, service.stamp(), service.seen)
    assert gone == (), "nor is it told to have gone"
    assert service.weights() == {first.name: 100}
    assert [record.number for record in service.target.records()] == [1, 2]
    assert service.ask().text == "one"


def test_remove_leaves_nothing_of_this_service_and_everything_of_another(host: Any) -> None:
    shop, cart = host.service("shop", secrets={"TOKEN": "abc"}), host.service("cart")
    shop.serve()
    cart.serve("cart")
    shop.remove()
    assert [name for name in host.left() if "shop" in name] == []
    assert host.in_the_proxy("ls /state/services").split() == ["cart"]
    assert cart.ask().text == "cart"
    assert (shop.target.observe().revisions, shop.target.records()) == ((), [])
    cart.remove()
    assert host.left() == []
    cart.remove()


def test_remove_clears_a_host_of_which_only_the_volumes_are_left(host: Any) -> None:
    service = host.service("shop", secrets={"TOKEN": "abc"})
    service.serve()
    api = host.engine.api
    for record in api.containers(all=True, filters={"name": host.namespace}):  # docker stop …; docker system prune
        api.remove_container(record["Id"], force=True)
    api.remove_network(host.namespace)
    service = host.service("shop")
    assert service.target.observe().serving, "as its files say"
    service.remove()
    assert host.left() == []


@pytest.mark.sweep
def test_a_network_that_somebody_else_uses_stays_when_everything_of_ours_goes(host: Any) -> None:
    service = host.service()
    service.serve()
    name = f"{host.namespace}-database"
    host.engine.containers.run(host.image, name=name, network=host.namespace, environment={"PORT": "1"}, detach=True)
    service.remove()
    assert sorted(host.left()) == [host.namespace, name]
    service.serve("again")
    assert service.ask().text == "again"


def test_an_image_is_known_by_its_config_digest_alone(service: Any) -> None:
    assert service.target.has(service.host.image) == service.host.image
    assert service.target.has("sha256:" + "0" * 64) is None
    unknown = ImageRef(config_digest="sha256:" + "0" * 64, reference="nothing", platform="linux/amd64")
    release = service.release().model_copy(update={"images": {"main": unknown}})
    with pytest.raises(NotFound, match="no image with config digest"):
        service.create(release)


def test_an_image_of_a_registry_is_pulled_by_digest_and_proved(service: Any, rig: Rig) -> None:
    engine, image = service.host.engine, service.host.another_image("pulled")
    repository = f"{rig.registry}/{service.host.namespace}"
    engine.images.get(image.config_digest).tag(repository, "1")
    engine.images.push(repository, "1")
    manifest = str(engine.images.get_registry_data(f"{repository}:1").id)
    engine.images.remove(image.config_digest, force=True)
    swapped = ImageRef(
        config_digest="sha256:" + "1" * 64,
        manifest_digest=manifest,
        reference=f"{repository}@{manifest}",
        platform="linux/amd64",
    )
    tested = swapped.model_copy(update={"config_digest": image.config_digest})
    release = service.release().model_copy(update={"images": {"main": tested}})
    assert service.target.restorable(release).problems == (), "its registry has it"
    with pytest.raises(Invalid, match="not the tested"):
        service.create(service.release().model_copy(update={"images": {"main": swapped}}))
    engine.images.remove(image.config_digest, force=True)
    service.serve(release=release)
    assert service.ask().status_code == 200
    service.remove()
    engine.images.remove(image.config_digest, force=True)


@pytest.mark.sweep
def test_loading_a_saved_image_gives_its_config_digest(service: Any, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in service.host.engine.images.get(service.host.image).save():
            file.write(chunk)
    assert service.target.load(archive) == service.host.image
