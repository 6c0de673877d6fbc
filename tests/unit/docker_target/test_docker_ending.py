"""What ends containers and clears away, while another run may be at work: on a proxy and containers of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from shipper.model import Garbage, Observation, Release, Revision, Settings, Stamp
from shipper.targets import Conflict, NotFound, TargetContext
from shipper_targets.docker.adapter import DockerTarget
from shipper_targets.docker.cleaning import Cleaning
from shipper_targets.docker.old_images import OldImages
from shipper_targets.docker.proxy import ABSENT, Live
from shipper_targets.docker.render import Server, State
from shipper_targets.docker.settings import DockerSettings
from tests.unit.docker_target.test_docker_host import refusal

pytestmark = pytest.mark.unit

SHOP = Settings.model_validate({"service": {"service": "shop", "root": "/"}})
OLD, NEW = "shop-2-bbbbbb", "shop-3-cccccc"
OURS = Stamp(epoch=5, highest=3)


def state(**weights: int) -> State:
    servers = {
        name: Server(address="10.0.0.11:80", weight=weights.get(name.split("-")[2], 0), served=True)
        for name in (OLD, NEW)
    }
    return State(route="shop.localhost", stamp=Stamp(epoch=4, highest=3), servers=servers)


def nothing() -> None:
    pass


@dataclass
class Proxy:
    """Compares versions as the scripts do. Wrong in it: it compares no epochs, and routes nothing."""

    live: Live | None = field(default_factory=lambda: Live(version="abc 7 4", state=state(cccccc=100)))
    at_drain: Callable[[], None] = nothing
    after_leave: Callable[[], None] = nothing
    said: list[str] = field(default_factory=list)
    key: str = "shop"
    name: str = "shipper-proxy"
    texts: Sequence[str] = ()

    def read(self) -> Live | None:
        return self.live

    def records(self) -> Sequence[str]:
        return self.texts

    def written_by_another(self) -> None:
        assert self.live is not None
        self.live = replace(self.live, version="abc 9 6", state=state(bbbbbb=100))

    def apply(self, live: Live, epoch: int, state: State, record: object = None) -> Live:
        self._compare(live)
        self.live = replace(live, version=f"abc {int(live.version.split()[1]) + 1} {epoch}", state=state)
        return self.live

    def drain(self, names: Iterable[str], seconds: float, cancel: object) -> int:
        self.at_drain()
        return 0

    def leave(self, live: Live, epoch: int) -> None:
        self._compare(live)
        self.live = Live(version="abc 0 0")
        self.said.append("left")
        self.after_leave()

    def forget(self, epoch: int, records: Sequence[str]) -> None:
        if self.live is None:
            raise NotFound("No such container: shipper-proxy")
        self.said.append(f"forgot {' '.join(records)}")

    def free(self, names: Iterable[str]) -> None:
        self.said.append("freed")

    def close(self) -> bool:
        return False

    def _compare(self, live: Live) -> None:
        if self.live is None or live.version != self.live.version:
            raise Conflict("somebody else wrote")


class Containers:
    """Of both revisions."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.names = [OLD, NEW]
        self.at_stop: Callable[[], None] = nothing

    def all(self) -> list[Any]:
        run = SimpleNamespace(stop_grace=1.0)
        labels = {"shipper.route": "shop.localhost"}
        return [
            SimpleNamespace(
                revision=name, name=name, number=int(name.split("-")[1]), digest="", secret_versions={}, run=run,
                labels=labels, as_revision=revision_of(name),
            )
            for name in self.names
        ]  # fmt: skip

    def stop(self, found: Any, grace: float) -> None:
        self.said.append(f"stopped {found.name}")
        self.at_stop()

    def remove(self, found: Any) -> None:
        self.said.append(f"removed {found.name}")
        self.names.remove(found.name)


def revision_of(name: str) -> Callable[[int], Revision]:
    return lambda weight: Revision(name=name, release=name[-6:], number=int(name.split("-")[1]), weight=weight)


class Place:
    """A target on them."""

    def __init__(self, proxy: Proxy | None = None) -> None:
        self.proxy = proxy or Proxy()
        self.containers = Containers(self.proxy.said)
        self.said = self.proxy.said
        secrets: Any = None
        self.target = DockerTarget(TargetContext("local", SHOP, {}, secrets), DockerSettings())
        self.images: list[str] = []
        api = SimpleNamespace(
            volumes=lambda **wanted: {"Volumes": []},
            containers=lambda **wanted: [],
            remove_image=self.remove_image,
            base_url="http+docker://localhost",
        )
        vars(self.target).update(
            _proxy=self.proxy,
            _containers=self.containers,
            _client=SimpleNamespace(api=api),
            _host=SimpleNamespace(present=lambda: self.proxy.live is not None, ensure=nothing, identity=lambda: "id1"),
        )

    def remove_image(self, name: str) -> None:
        self.images.append(name)
        if name == "used":
            raise refusal(409, "conflict: unable to remove repository reference, container is using it")
        if name == "gone":
            raise refusal(404, "No such image")


def test_a_removal_that_was_overtaken_while_it_drained_ends_nothing() -> None:
    place = Place()
    place.proxy.at_drain = place.proxy.written_by_another  # such as a rollback that seized the lease
    with pytest.raises(Conflict):
        place.target.remove(OURS, "abc 7 4")
    assert (place.containers.names, place.said) == ([OLD, NEW], [])


def test_a_removal_leaves_the_proxy_before_any_container_ends() -> None:
    place = Place()
    place.target.remove(OURS, "abc 7 4")
    assert place.said == ["left", f"removed {OLD}", f"removed {NEW}"]


def test_a_removal_ends_nothing_that_somebody_may_have_taken_up_since() -> None:
    place = Place()
    place.proxy.after_leave = place.proxy.written_by_another
    with pytest.raises(Conflict, match="abc 9 6 is there"):
        place.target.remove(OURS, "abc 7 4")
    assert place.containers.names == [OLD, NEW]


def test_a_removal_leaves_a_container_that_came_after_it() -> None:
    place = Place()
    place.proxy.after_leave = lambda: place.containers.names.append("shop-4-dddddd")
    place.target.remove(OURS, "abc 7 4")
    assert place.containers.names == ["shop-4-dddddd"]


def test_what_is_retired_stays_when_somebody_wrote_while_it_stopped() -> None:
    place = Place()
    place.containers.at_stop = place.proxy.written_by_another
    with pytest.raises(Conflict, match="abc 9 6 is there"):
        place.target.retire([revision_of(OLD)(0)], "removed", OURS, "abc 7 4")
    assert place.said == [f"stopped {OLD}"]
    assert place.containers.names == [OLD, NEW]


def test_clean_up_where_proxy_and_state_are_lost_takes_the_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(Proxy(live=None))
    seen_now = Observation(seen=ABSENT, serving=(), revisions=(revision_of(OLD)(0),))
    monkeypatch.setattr(place.target, "observe", lambda: seen_now)
    garbage = [
        Garbage(kind="revision", name=OLD, why="old"),
        Garbage(kind="record", name="2-bbbbbb", why="of a volume that was there a moment ago"),
    ]
    assert place.target.collect(garbage, OURS, ABSENT) == (garbage[0],)
    assert place.containers.names == [NEW]


def test_clean_up_tells_only_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    serving, idle = revision_of(NEW)(100), revision_of(OLD)(0)
    seen_now = Observation(seen="abc 7 4", serving=(serving,), revisions=(idle, serving))
    monkeypatch.setattr(place.target, "observe", lambda: seen_now)
    taken, used = (
        [
            Garbage(kind="revision", name=revision, why=""),
            Garbage(kind="record", name=record, why=""),
            Garbage(kind="image", name=image, why="", size=10),
        ]
        for revision, record, image in ((OLD, "2-bbbbbb", "unused"), (NEW, "3-cccccc", "used"))
    )
    gone = Garbage(kind="image", name="gone", why="")
    assert set(place.target.collect([*taken, *used, gone], OURS, "abc 7 4")) == {*taken, gone}
    assert place.said == [f"stopped {OLD}", f"removed {OLD}", "freed", "forgot 2-bbbbbb"]
    assert place.images == ["unused", "used", "gone"]


# What is garbage


def digest_of(number: int) -> str:
    return "sha256:" + f"{number}" * 64


class Store:
    """An engine with the images of five releases, named as the build names them, and one volume of secrets."""

    def __init__(self) -> None:
        self.api = self
        self.images_there = {f"shipper.local/shop:{digest_of(number)[7:39]}": number for number in range(1, 6)}

    @property
    def images(self) -> Any:
        return _Images(self)

    def containers(self, **wanted: object) -> list[Any]:
        return []

    def volumes(self, **wanted: object) -> dict[str, list[Any]]:
        return {"Volumes": []}

    def info(self) -> dict[str, Any]:
        return {"SystemTime": "2026-11-21T10:00:00Z", "DriverStatus": []}


class _Images:
    """`client.images` and `client.api.images` in one."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __call__(self, name: str = "", **wanted: object) -> list[dict[str, Any]]:
        return [{"RepoTags": [name]} for name in self.store.images_there]

    def get(self, name: str) -> Any:
        names = {"RepoTags": [name], "RepoDigests": []}
        if name == digest_of(1):
            tag = f"shipper.local/shop:{digest_of(1)[7:39]}"
            names = {"RepoTags": [tag, "someone/else:1"], "RepoDigests": ["registry/shop@sha256:1"]}
        return SimpleNamespace(attrs={"Metadata": {"LastTagTime": "2026-11-10T10:00:00Z"}, "Size": 5, **names})


SECRETS = SimpleNamespace(all=lambda: [SimpleNamespace(name="secrets-of-then", versions="?", created=0.0)])


def cleaning(*texts: str) -> Cleaning:
    store: Any = Store()
    found = SimpleNamespace(number=5, revision="shop-5-eeeeee", digest=digest_of(5), secret_versions={})
    containers: Any = SimpleNamespace(all=lambda: [found])
    proxy: Any = Proxy(texts=texts)
    secrets: Any = SECRETS
    return Cleaning(store, "shipper", "shop", proxy, containers, secrets)


def names_of(garbage: Iterable[Garbage], kind: str) -> set[str]:
    return {item.name for item in garbage if item.kind == kind}


def test_images_that_only_the_ledger_knows_of_stay() -> None:
    """Their records were lost with the state volume."""
    kept = {digest_of(number) for number in (2, 3, 4)}
    found = cleaning().garbage([2, 3, 4, 5], {"shop-5-eeeeee"}, kept)
    assert names_of(found, "image") == {f"shipper.local/shop:{digest_of(1)[7:39]}"}


def test_a_record_of_a_newer_shipper_keeps_every_image_and_every_secret() -> None:
    assert names_of(cleaning().garbage([5], {"shop-5-eeeeee"}, ()), "secrets") == {"secrets-of-then"}
    found = cleaning('{"schema": 99}').garbage([5], {"shop-5-eeeeee"}, ())
    assert names_of(found, "image") == names_of(found, "secrets") == set()


def test_the_bytes_of_an_image_with_two_names_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from shipper_targets.docker import images

    monkeypatch.setattr(images, "find", lambda client, digest: digest)
    main = SimpleNamespace(config_digest=digest_of(1), reference="registry/shop@sha256:1")
    release: Any = SimpleNamespace(number=1, main=main)
    store: Any = Store()
    store.images_there = {}
    releases: list[Release] = [release]
    found = list(OldImages(store, "shipper", "shop", "shop").garbage(releases, set()))
    assert len(found) == 2
    assert sum(item.size or 0 for item in found) == 5
