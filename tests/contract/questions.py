"""What the rig's imitation believes of Cloud Run and nobody could verify: asked of the service that is there.

Each question makes one small service of its own (no minimum of instances, so that it costs nothing when it is not
asked), and is a function from a `Bench` to the answer in words. `believed` is what the rig does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.contract.by_hand import RUN, ByHand
from tests.contract.images import Images
from tests.contract.project import LABEL, PREFIX, Project

_COUNT = itertools.count(1)


@dataclass(frozen=True)
class Question:
    """`asked` of the platform; `believed` is the answer of the rig."""

    name: str
    asked: str
    believed: str
    answer: Callable[[Bench], str]


class Bench:
    """A service that a question may do anything to."""

    def __init__(self, project: Project, images: Images) -> None:
        self.project, self.images, self.by_hand = project, images, ByHand(project)
        self.id = f"{PREFIX}-{project.run}-q{next(_COUNT)}"
        self.name = f"{project.parent}/services/{self.id}"

    def revision(self, number: int) -> str:
        return f"{self.id}-{number}"

    def template(self, number: int, kind: Any = "good") -> dict[str, Any]:
        """A revision under a name of its own."""
        image = self.images(kind, "asked").reference
        return {"revision": self.revision(number), "containers": [{"image": image}]}

    def create(self) -> dict[str, Any]:
        """The service with revision 1, which serves."""
        body = {"template": self.template(1), "labels": {LABEL: self.project.run}, "traffic": [self.all_to(1)]}
        made = self.by_hand.needed("POST", RUN, f"{self.project.parent}/services", body, serviceId=self.id)
        ended = self.by_hand.ended(made)
        assert "error" not in ended, ended
        return self.by_hand.settled(self.name)

    def all_to(self, number: int) -> dict[str, Any]:
        return {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": self.revision(number), "percent": 100}

    def patch(self, mask: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """Status, and the operation or the error."""
        return self.by_hand.ask("PATCH", RUN, self.name, fields, updateMask=mask)

    def add(self, number: int, kind: str = "good") -> dict[str, Any]:
        """A revision more that gets no traffic; the operation's end."""
        status, begun = self.patch("template,traffic", template=self.template(number, kind), traffic=[self.all_to(1)])
        assert status == 200, begun
        return self.by_hand.ended(begun)

    def routed(self) -> dict[str, int]:
        """Revision to percent, once the service has settled."""
        found = self.by_hand.settled(self.name).get("trafficStatuses", [])
        return {one.get("revision", "LATEST"): one.get("percent", 0) for one in found}

    def close(self) -> None:
        self.by_hand.delete_service(self.name)


def traffic_after_a_failure(bench: Bench) -> str:
    """A write of traffic alone that does what it says, while the newest revision has failed."""
    bench.create()
    failed = bench.add(2, "crash-loop")
    status, begun = bench.patch("traffic", traffic=[bench.all_to(1)])
    assert status == 200, begun
    return f"failed revision: {_code(failed)}; write of traffic: {_code(bench.by_hand.ended(begun))}"


def a_name_again(bench: Bench) -> str:
    """The name of a revision that was deleted, for another revision of the same service."""
    bench.create()
    bench.add(2)
    bench.add(3)
    deleted = bench.by_hand.needed("DELETE", RUN, f"{bench.name}/revisions/{bench.revision(2)}")
    assert "error" not in bench.by_hand.ended(deleted), deleted
    template = {**bench.template(2), "labels": {"again": "yes"}}
    status, said = bench.patch("template", template=template)
    return "free" if status == 200 and "error" not in bench.by_hand.ended(said) else f"refused, {_status(status, said)}"


def etag_when_it_settles(bench: Bench) -> str:
    """The etag of a service while it is reconciling, and when it has settled."""
    bench.create()
    status, begun = bench.patch("template", template=bench.template(2))
    assert status == 200, begun
    during = bench.by_hand.service(bench.name)
    assert during is not None
    if not during.get("reconciling"):
        return "it settled before it could be looked at"
    return "changes" if bench.by_hand.settled(bench.name)["etag"] != during["etag"] else "stays"


def a_stale_etag(bench: Bench) -> str:
    """A write with an etag that is out of date."""
    old = bench.create()["etag"]
    bench.add(2)
    status, said = bench.patch("traffic", etag=old, traffic=[bench.all_to(1)])
    return _status(status, said)


def deleting_what_serves(bench: Bench) -> str:
    """Deleting the newest revision, which has no traffic, and one that has it."""
    bench.create()
    bench.add(2)
    newest = bench.by_hand.ask("DELETE", RUN, f"{bench.name}/revisions/{bench.revision(2)}")
    serving = bench.by_hand.ask("DELETE", RUN, f"{bench.name}/revisions/{bench.revision(1)}")
    return f"newest: {_refusal(bench, newest)}; serving: {_refusal(bench, serving)}"


def deleting_what_has_a_tag(bench: Bench) -> str:
    """Deleting a revision that has a tag and no traffic, and is not the newest."""
    bench.create()
    bench.add(2)
    tagged = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": bench.revision(2), "tag": "kept"}
    template = bench.template(3)
    status, begun = bench.patch("template,traffic", template=template, traffic=[bench.all_to(1), tagged])
    assert status == 200, begun
    bench.by_hand.ended(begun)
    return _refusal(bench, bench.by_hand.ask("DELETE", RUN, f"{bench.name}/revisions/{bench.revision(2)}"))


def a_route_to_what_failed(bench: Bench) -> str:
    """What is routed after traffic was asked for a revision that is not ready."""
    bench.create()
    bench.add(2, "crash-loop")
    status, begun = bench.patch("traffic", traffic=[bench.all_to(2)])
    if status != 200:
        return f"refused, {_status(status, begun)}"
    ended = bench.by_hand.ended(begun)
    stands = bench.routed() == {bench.revision(1): 100}
    return f"{_code(ended)}; {'the earlier route stands' if stands else f'routed: {bench.routed()}'}"


def a_newer_write(bench: Bench) -> str:
    """How the operation of a write ends when a newer write came before its end."""
    bench.create()
    first_status, first = bench.patch("template", template=bench.template(2))
    second_status, second = bench.patch("template", template=bench.template(3))
    assert (first_status, second_status) == (200, 200), (first, second)
    ended = bench.by_hand.ended(first)
    bench.by_hand.ended(second)
    return _code(ended)


def an_image_that_is_not_there(bench: Bench) -> str:
    """The operation's error for an image that its registry does not have."""
    bench.create()
    status, said = bench.patch("template,traffic", template=bench.template(2, "missing"), traffic=[bench.all_to(1)])
    return f"at once, {_status(status, said)}" if status != 200 else _code(bench.by_hand.ended(said))


def a_target_without_a_type(bench: Bench) -> str:
    """Traffic that names a revision and no type (validated only)."""
    bench.create()
    target = {"revision": bench.revision(1), "percent": 100}
    status, said = bench.by_hand.ask(
        "PATCH", RUN, bench.name, {"traffic": [target]}, updateMask="traffic", validateOnly="true"
    )
    return "accepted" if status == 200 else _status(status, said)


def a_long_start(bench: Bench) -> str:
    """A startup probe that takes more than 240 s in all (validated only)."""
    bench.create()
    template = bench.template(2)
    probe = {"httpGet": {"path": "/healthz"}, "periodSeconds": 10, "failureThreshold": 60, "timeoutSeconds": 1}
    template["containers"][0]["startupProbe"] = probe
    status, said = bench.by_hand.ask(
        "PATCH", RUN, bench.name, {"template": template}, updateMask="template", validateOnly="true"
    )
    return "accepted" if status == 200 else _status(status, said)


QUESTIONS = (
    Question("traffic after a failure", "does a write of traffic alone end with an error while the newest revision "
             "has failed?", "failed revision: 9; write of traffic: 9", traffic_after_a_failure),
    Question("a name again", "is a revision's name free again when it was deleted?", "refused, 409 ALREADY_EXISTS",
             a_name_again),
    Question("etag when it settles", "does the etag change when reconciliation ends?", "changes", etag_when_it_settles),
    Question("a stale etag", "which status has a write with a stale etag?", "409 ABORTED", a_stale_etag),
    Question("deleting what serves", "how is the deletion of the newest and of a serving revision refused?",
             "newest: 400 FAILED_PRECONDITION; serving: 400 FAILED_PRECONDITION", deleting_what_serves),
    Question("deleting what has a tag", "can a revision be deleted that has only a tag?",
             "400 FAILED_PRECONDITION", deleting_what_has_a_tag),
    Question("a route to what failed", "does a route to a failed revision leave the earlier one standing?",
             "9; the earlier route stands", a_route_to_what_failed),
    Question("a newer write", "how does an operation end that a newer write overtook?", "10", a_newer_write),
    Question("an image that is not there", "with which code does it end?", "5", an_image_that_is_not_there),
    Question("a target without a type", "is it taken?", "400 INVALID_ARGUMENT", a_target_without_a_type),
    Question("a long start", "is a startup probe of 600 s taken?", "400 INVALID_ARGUMENT", a_long_start),
)  # fmt: skip


def _code(ended: dict[str, Any]) -> str:
    """The canonical code of an operation's end; its words go to the report with the answer."""
    error = ended.get("error")
    return "no error" if error is None else str(error.get("code"))


def _status(status: int, said: dict[str, Any]) -> str:
    return f"{status} {said.get('error', {}).get('status', '')}".strip()


def _refusal(bench: Bench, asked: tuple[int, dict[str, Any]]) -> str:
    """A deletion may be refused at once, or by its operation."""
    status, said = asked
    if status != 200:
        return _status(status, said)
    code = _code(bench.by_hand.ended(said))
    return "deleted" if code == "no error" else f"operation {code}"
