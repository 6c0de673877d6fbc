"""A live object beside a dry run: what a person wants to know, without the server's noise and without secrets."""

from __future__ import annotations

from typing import Any

import pytest

from shipper_targets.kubernetes.differences import differing, object_changes
from shipper_targets.kubernetes.drift import differences
from shipper_targets.kubernetes.manifest import Key, identified
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.showing import HIDDEN
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit

KEY = Key("apps", "Deployment", "shops", "shop")


def live() -> dict[str, Any]:
    """As the API server gives it back."""
    body = identified(render(release_of(), own(), "rolling").main, release_of(), "stamp 1").copied()
    body["metadata"].update(uid="u", resourceVersion="41", generation=3, creationTimestamp="2026-11-21T10:00:00Z")
    body["metadata"]["managedFields"] = [{"manager": "shipper"}]
    body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "4"
    body["status"] = {"replicas": 1}
    return body


def lines(before: dict[str, Any], after: dict[str, Any], key: Key = KEY) -> list[tuple[str, str, str]]:
    return [(one.subject, one.before, one.after) for one in object_changes(key, before, after)]


def test_the_same_again_is_no_change() -> None:
    after = live()
    after["metadata"].update(resourceVersion="42", generation=4, managedFields=[])
    after["metadata"]["annotations"].update({"shipper.dev/stamp": "stamp 2", "shipper.dev/release": "other"})
    after["metadata"]["labels"]["shipper.dev/number"] = "8"
    after["status"] = {}
    assert lines(live(), after) == []


def test_what_changed_is_one_line_with_its_path() -> None:
    after = live()
    after["spec"]["replicas"] = 3
    after["spec"]["template"]["spec"]["containers"][0]["image"] = "other@sha256:cd"
    found = lines(live(), after)
    assert found == [
        ("Deployment/shop spec.replicas", "1", "3"),
        (
            "Deployment/shop spec.template.spec.containers[app].image",
            live()["spec"]["template"]["spec"]["containers"][0]["image"],
            "other@sha256:cd",
        ),
    ]


def test_an_element_more_does_not_change_those_after_it() -> None:
    after = live()
    after["spec"]["template"]["spec"]["containers"][0]["env"].insert(0, {"name": "A", "value": "b"})
    assert lines(live(), after) == [
        ("Deployment/shop spec.template.spec.containers[app].env[A].name", "", "A"),
        ("Deployment/shop spec.template.spec.containers[app].env[A].value", "", "b"),
    ]


def test_objects_that_come_and_go_are_one_line() -> None:
    assert [one.action for one in object_changes(KEY, None, live())] == ["create"]
    assert [one.action for one in object_changes(KEY, live(), None)] == ["remove"]
    assert object_changes(KEY, None, None) == []


def test_secret_values_are_compared_and_not_shown() -> None:
    before = {"metadata": {"name": "s"}, "data": {"token": "b25l"}}
    after = {"metadata": {"name": "s"}, "data": {"token": "dHdv"}}
    assert lines(before, after, Key("", "Secret", "shops", "s")) == [("Secret/s data.token", HIDDEN, HIDDEN)]


def test_variables_that_look_like_secrets_are_not_shown() -> None:
    def map_of(settings: dict[str, str]) -> dict[str, Any]:
        return {"metadata": {"name": "m"}, "data": settings}

    key = Key("", "ConfigMap", "shops", "m")
    assert lines(map_of({"API_KEY": "a"}), map_of({"API_KEY": "b"}), key) == [
        ("ConfigMap/m data.API_KEY", HIDDEN, HIDDEN)
    ]
    assert lines(map_of({"DB": "postgres://u:p@h"}), map_of({"DB": "x"}), key)[0][1] == HIDDEN
    assert lines(map_of({"COLOUR": "red"}), map_of({"COLOUR": "blue"}), key)[0][1:] == ("red", "blue")


def test_a_list_of_plain_values_is_told_by_position() -> None:
    before = render(release_of(settings_of(run={"command": ["a", "b"]})), own(), "rolling").main.copied()
    after = render(release_of(settings_of(run={"command": ["a", "c"]})), own(), "rolling").main.copied()
    assert lines(before, after) == [("Deployment/shop spec.template.spec.containers[app].args[1]", "b", "c")]


@pytest.mark.parametrize("member", ["args", "command"])
@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--api-key", "abc"],
        ["serve", "--token=abc"],
        ["serve", "postgres://shop:abc@db/shop"],
        ["serve", "--set=db.password=abc"],
        ["serve", "--header=X-Api-Key: abc"],
        ["serve", "exec run --port=80 --token=abc"],
    ],
    ids=["after an option", "in an option", "in a URL", "in a value", "in a header", "in a line of a shell"],
)
def test_arguments_that_look_like_secrets_are_not_shown(member: str, words: list[str]) -> None:
    def pod(*more: str) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": "app", member: [*words, *more]}]}}

    planned = [*differing(pod(), {}), *differing({}, pod())]
    (drift,) = differences(pod(), pod("--fast"))

    assert "abc" not in f"{planned} {drift}"
    assert "serve" in f"{planned}"
    assert "--fast" in f"{drift}"


def test_credentials_in_a_url_are_not_shown_wherever_they_are() -> None:
    noted = {"metadata": {"annotations": {"example.com/db": "postgres://shop:abc@db/shop"}}}

    assert [told for _, told, _ in differing(noted, {"metadata": {}})][-1:] == [HIDDEN]


@pytest.mark.parametrize("name", ["command", "args", "args.0"])
def test_a_secret_may_be_called_like_a_line(name: str) -> None:
    (told,) = differing({"data": {name: "YWJj"}}, {"data": {name: "ZGVm"}}, secret=True)

    assert told[1:] == (HIDDEN, HIDDEN)
