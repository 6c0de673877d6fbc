"""From settings and releases to names, weights, traffic and plans: no engine is asked."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import ImageRef, Observation, Release, Revision, Settings
from shipper_targets.docker.render import (
    Server,
    State,
    address_of,
    base_config,
    key_of,
    labels_of,
    plan_of,
    revision_name,
    route_of,
    servers_text,
    shifted,
    weights_in_percent,
)
from shipper_targets.docker.settings import DockerSettings

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "a" * 64


def settings(environment: str = "dev", **more: Any) -> Settings:
    return Settings.model_validate({"service": {"service": "shop", "environment": environment, "root": "/"}, **more})


def release(environment: str = "dev", digest: str = DIGEST, **more: Any) -> Release:
    return Release(
        id="01M7Y8XKRN57PQG27HYJDFM920",
        number=4,
        fingerprint="sha256:" + "b" * 64,
        images={"main": ImageRef(config_digest=digest, reference="shop:4", platform="linux/amd64")},
        settings=settings(environment, **more),
        target="local",
        created=1.0,
    )


def state(**weights: int) -> State:
    servers = {
        name: Server(address="10.0.0.9:80", weight=weight, route=f"{name}.x") for name, weight in weights.items()
    }
    return State(route="old.x", servers=servers)


def test_two_environments_of_a_service_share_no_name() -> None:
    dev, staging, own = settings(), settings("staging"), DockerSettings()
    assert (key_of(dev), key_of(staging)) == ("shop", "shop.staging")
    assert (route_of(dev, own), route_of(staging, own)) == ("shop.localhost", "staging.shop.localhost")
    assert (revision_name(release()), revision_name(release("staging"))) == ("shop-4-dfm920", "shop-staging-4-dfm920")


def test_a_service_whose_name_looks_like_a_service_and_an_environment_has_another_key() -> None:
    alike = Settings.model_validate({"service": {"service": "shop-staging", "root": "/"}})
    assert key_of(alike) != key_of(settings("staging"))


@pytest.mark.parametrize(
    ("own", "url", "reach"),
    [
        ({}, "http://127.0.0.1:8080", "local"),
        ({"bind": "0.0.0.0"}, "http://127.0.0.1:8080", "public"),
        ({"bind": "10.1.2.3", "port": 80}, "http://10.1.2.3:80", "local"),
        ({"host": "ssh://me@box.example", "bind": "0.0.0.0"}, "http://box.example:8080", "public"),
        ({"host": "ssh://me@box.example"}, "http://127.0.0.1:8080", "internal"),
    ],
)
def test_the_address_says_where_and_for_whom(own: dict[str, Any], url: str, reach: str) -> None:
    found = address_of(DockerSettings.model_validate(own), "shop.localhost")
    assert (found.url, found.host, found.reach) == (url, "shop.localhost", reach)


@pytest.mark.parametrize(
    ("weights", "percent"),
    [
        ({}, {}),
        ({"a": 0}, {}),
        ({"a": 1}, {"a": 100}),
        ({"a": 90, "b": 10, "c": 0}, {"a": 90, "b": 10}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 34, "b": 33, "c": 33}),
    ],
)
def test_weights_are_percents_that_sum_to_a_hundred(weights: dict[str, int], percent: dict[str, int]) -> None:
    assert weights_in_percent(weights) == percent


def test_a_shift_names_everyone_and_the_route_follows_the_most_of_it() -> None:
    found = shifted(state(a=100, b=0), {"b": 90, "a": 10})
    assert {name: server.weight for name, server in found.servers.items()} == {"a": 10, "b": 90}
    assert found.route == "b.x"
    assert found.servers["b"].served, "it is stopped with grace from now on"
    nothing = shifted(found, {})
    assert {server.weight for server in nothing.servers.values()} == {0}
    assert nothing.route == "b.x", "the name stays while nothing serves"


def test_the_servers_go_to_the_host_in_one_form() -> None:
    assert servers_text(state(b=100, a=0)) == "a 10.0.0.9:80 0\nb 10.0.0.9:80 100\n"


def test_the_proxy_never_sends_a_change_twice_and_overwrites_the_revision_header() -> None:
    lines = [line.strip() for line in base_config().splitlines()]
    assert "http-request disable-l7-retry if !METH_GET !{ method HEAD }" in lines
    removed = lines.index("http-response del-header X-Shipper-Revision")
    assert lines[removed + 1].startswith("http-response set-header X-Shipper-Revision")


def test_while_nothing_serves_clients_are_told_when_to_come_back() -> None:
    (line,) = [line for line in base_config().splitlines() if "http-error status 503" in line and "Retry-After" in line]
    assert "hdr Retry-After 5" in line


def plan(serving: Release | None, wanted: Release) -> Any:
    own = DockerSettings()
    main = Revision(name="shop-3-xxxxxx", release="x", weight=100)
    seen = Observation(seen="1", serving=(main,) if serving else ())
    return plan_of(wanted, seen, labels_of(serving, own, "local") if serving else None, own)


def test_a_plan_of_the_same_is_empty() -> None:
    assert plan(release(), release()).empty


def test_a_plan_tells_values_before_and_after() -> None:
    found = plan(release(run={"env": {"LEVEL": "info"}}), release(run={"env": {"LEVEL": "debug", "NEW": "1"}}))
    told = [(change.action, change.subject, change.before, change.after) for change in found.changes]
    assert told == [
        ("keep", "image", "shop:4", "shop:4"),
        ("change", "run.env.LEVEL", "info", "debug"),
        ("create", "run.env.NEW", "", "1"),
        ("shift", "traffic", "shop-3-xxxxxx", "shop-4-dfm920"),
    ]


def test_a_plan_says_that_a_password_changes_and_never_what_it_is() -> None:
    before = release(run={"env": {"DATABASE_URL": "postgres://app:hunter2@db/shop", "API_TOKEN": "abc"}})
    after = release(run={"env": {"DATABASE_URL": "postgres://app:hunter3@db/shop", "API_TOKEN": "abd"}})
    for found in (plan(before, after), plan(None, after)):
        text = str(found.changes)
        assert "run.env.DATABASE_URL" in text
        assert "run.env.API_TOKEN" in text
        assert "hunter" not in text
        assert not {"abc", "abd"} & {value for change in found.changes for value in (change.before, change.after)}


def test_a_plan_of_a_first_release_creates_everything() -> None:
    found = plan(None, release())
    assert found.summary == "a first release"
    assert {change.action for change in found.changes} == {"create"}
