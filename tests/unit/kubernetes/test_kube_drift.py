"""Drift: what a person changed, told without a secret; not what a release of ours left behind that did not come far."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from shipper_targets.kubernetes.cleaning import garbage_of
from shipper_targets.kubernetes.differences import differing
from shipper_targets.kubernetes.drift import differences, drift_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.render import render
from shipper_targets.kubernetes.showing import HIDDEN, shown
from tests.unit.kubernetes.kube_found import deployment, found, revision, service
from tests.unit.kubernetes.kube_rendering import own, release_of, settings_of

pytestmark = pytest.mark.unit


def manifest(kind: str, api_version: str = "v1", name: str = "db", **members: Any) -> Manifest:
    return Manifest({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **members})


def with_env(*variables: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": list(variables)}]}}}}


def test_a_secret_that_somebody_changed_is_named_and_not_shown() -> None:
    ours, theirs = (base64.b64encode(text).decode() for text in (b"old-pass", b"rotated"))
    secret = manifest("Secret", data={"password": ours})
    live = {**secret.body, "data": {"password": theirs}}
    there = found(deployments=[deployment(1)], applied=[secret], others={secret.key: live})
    (one,) = drift_of(there)
    assert (one.field, one.ours, one.found) == ("Secret/db data.password", HIDDEN, HIDDEN)
    (gone,) = drift_of(found(applied=[secret], others={secret.key: {**secret.body, "data": None}}))
    assert ours not in repr(gone)


@pytest.mark.parametrize(
    ("ours", "live"),
    [
        ([{"name": "API_TOKEN", "value": "tok-1"}], [{"name": "API_TOKEN", "value": "tok-2"}]),
        ([{"name": "API_TOKEN", "value": "tok-1"}], []),
        ([{"name": "API_TOKEN", "value": "tok-1"}], None),
        ([{"name": "A", "value": "tok-1"}, {"name": "A", "value": "tok-1"}], [{"name": "A", "value": "tok-2"}] * 2),
        ([{"name": "DB", "value": "postgres://u:tok-1@h"}], [{"name": "DB", "value": "postgres://u:tok-2@h"}]),
    ],
    ids=["changed", "gone", "all gone", "by position", "in a URL"],
)
def test_a_variable_that_is_called_like_a_secret_is_not_shown(ours: list[Any], live: list[Any] | None) -> None:
    mine, theirs = with_env(*ours), with_env(*(live or ()))
    if live is None:
        del theirs["spec"]["template"]["spec"]["containers"][0]["env"]
    told = list(differences(mine, theirs))
    assert told
    assert "tok-" not in repr(told)


@pytest.mark.parametrize(
    "spec",
    [
        {"args": ["--db=postgres://shop:SECRET@db/shop"]},
        {"args": ["serve", "--api-key=SECRET"]},
        {"args": ["API_KEY=SECRET"]},
        {"metadata": {"annotations": {"token": "-a=SECRET"}}},
        {"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Bearer SECRET"}]}}},
        {"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X-Token", "value": "SECRET"}] * 2}}},
        {"metadata": {"annotations": {"example.com/api-token": "SECRET"}}},
        {"parameters": [{"name": "PASSWORD", "value": "SECRET"}]},
    ],
    ids=["a URL", "an option", "a word", "any text", "a header", "headers of one name", "an annotation", "any pair"],
)
def test_credentials_are_hidden_wherever_they_stand(spec: dict[str, Any]) -> None:
    text = json.dumps(spec)
    ours, live = json.loads(text.replace("SECRET", "tok-1")), json.loads(text.replace("SECRET", "tok-2"))
    for told in (list(differences(ours, live)), list(differing(ours, live)), list(differences({"x": spec}, {}))):
        assert told
        assert "tok-" not in repr(told)
        assert "SECRET" not in repr(told)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "volumes", "keys", "secret", "secretName"), "shop-tls"),
        (("spec", "template", "metadata", "annotations", "shipper.dev/secrets"), "ab12"),
        (("spec", "automountServiceAccountToken"), True),
        (("spec", "tolerations[0]", "value"), "gpu"),
        (("spec", "args[0]"), "--workers=2"),
    ],
)
def test_what_only_sounds_like_a_secret_is_shown(path: tuple[str, ...], value: object) -> None:
    assert shown(path, value) == (value if isinstance(value, str) else "true")


def test_what_is_no_secret_is_shown() -> None:
    told = list(differences(with_env({"name": "MODE", "value": "a"}), with_env({"name": "MODE", "value": "b"})))
    assert [(ours, theirs) for _, ours, theirs in told] == [("a", "b")]
    assert shown(("data", "MODE"), "a") == "a"
    assert shown(("data", "API_KEY"), "a") == HIDDEN
    assert shown(("metadata", "labels", "token"), "a", secret=True) == "a"


def test_what_an_unfinished_release_had_changed_is_its_doing_and_no_persons() -> None:
    served, begun = rendered_with("a.example.com", 80), rendered_with("b.example.com", 8080)
    live = {one.key: one.body for one in begun.manifests}
    by_us = of_release(served, live)
    assert {one.field.partition(" ")[0] for one in drift_of(by_us)} == {"Ingress/shop", "Service/shop"}
    assert drift_of(of_release(served, live, begun)) == ()

    by_hand = {**live}
    ingress = begun.of_kind("Ingress")[0]
    by_hand[ingress.key] = rendered_with("c.example.com", 8080).of_kind("Ingress")[0].body
    (one,) = drift_of(of_release(served, by_hand, begun))
    assert (one.field, one.ours, one.found) == ("Ingress/shop spec.rules.0.host", "a.example.com", "c.example.com")


def rendered_with(host: str, port: int) -> Rendered:
    settings = settings_of(rollout={"strategy": "blue-green"})
    return render(release_of(settings, number=1), own(ingress={"host": host}, service_port=port), "weighted")


def of_release(served: Rendered, live: dict[Any, Any], *unfinished: Rendered) -> Any:
    (asked,) = served.of_kind("Service")
    around = [one for one in served.others if one.kind in ("Ingress", "Service")]
    return found(shape="weighted", service=live[asked.key], applied=around, others=live, unfinished=unfinished)


def test_a_key_that_somebody_added_to_the_selector_is_drift() -> None:
    asked = service("shop", **{"shipper.dev/traffic": '{"shop":100}'})
    assert drift_of(found(deployments=[deployment(1)], service=asked)) == ()
    asked["spec"]["selector"]["extra"] = "x"
    (one,) = drift_of(found(deployments=[deployment(1)], service=asked))
    assert (one.field, one.found) == ("Service/shop spec.selector", "extra=x")


@pytest.mark.parametrize("text", ["[", "7", '{"shop":1e999}', "[" * 100_000])
def test_a_note_of_the_traffic_that_cannot_be_read_says_nothing(text: str) -> None:
    asked = service("shop", **{"shipper.dev/traffic": text})
    assert drift_of(found(deployments=[deployment(1)], service=asked)) == ()


def test_another_selector_is_shown_as_it_is() -> None:
    asked = service("shop", **{"shipper.dev/traffic": '{"shop":100}'})
    asked["spec"]["selector"] = {"app": "other"}
    (one,) = drift_of(found(deployments=[deployment(1)], service=asked))
    assert (one.field, one.ours, one.found) == (
        "Service/shop spec.selector",
        "shop 100 %",
        "pods of shop 100 % (app=other)",
    )


def test_a_rule_that_somebody_added_is_drift() -> None:
    ours = {"spec": {"rules": [{"host": "a"}]}}
    assert list(differences(ours, {"spec": {"rules": [{"host": "a"}]}})) == []
    assert [path for path, _, _ in differences(ours, {"spec": {"rules": [{"host": "a"}, {"host": "b"}]}})] == [
        "spec.rules"
    ]


def test_what_the_service_selects_is_not_garbage_although_the_route_has_left_it() -> None:
    names = (revision(1), revision(2))
    route = {
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"rules": [{"backendRefs": [{"name": names[1], "weight": 100}]}]},
    }
    there = found(
        shape="weighted",
        routes=True,
        deployments=[deployment(number, name=revision(number)) for number in (1, 2)],
        services=[{**service(name), "metadata": {"name": name}} for name in names],
        service=service(names[0]),
        route=route,
    )
    assert garbage_of(there, [2]) == []
