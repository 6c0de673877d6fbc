"""What buildx says about a builder that cannot be had, and what we make of it: its own words, as measured."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError, CredentialsError, ShipperError, UnreachableError
from shipper.images.builder import Instance
from shipper.images.builder_failure import builder_failure, gets_ready, too_late

pytestmark = pytest.mark.unit

CLUSTER = Instance(
    name="shipper-1",
    node="shipper-2",
    driver="kubernetes",
    place="namespace builds of prod",
    patience=300.0,
    advice="kubectl describe pods",
)
FORBIDDEN = """\
#1 [internal] booting buildkit
#1 ERROR: error for bootstrap "shipper-2": deployments.apps "shipper-2" is forbidden: User "ci" cannot get resource "deployments" in API group "apps" in the namespace "builds"
------
 > [internal] booting buildkit:
------
ERROR: error for bootstrap "shipper-2": deployments.apps "shipper-2" is forbidden: User "ci" cannot get resource "deployments" in API group "apps" in the namespace "builds"
"""  # noqa: E501 - as it is printed
CREATE = 'ERROR: error while calling deploymentClient.Create for "shipper-2": '
QUOTA = (
    f'{CREATE}deployments.apps "shipper-2" is forbidden: exceeded quota: builds, requested: '
    "count/deployments.apps=1, used: count/deployments.apps=2, limited: count/deployments.apps=2"
)
WEBHOOK = f'{CREATE}admission webhook "policy.example.com" denied the request: forbidden: User "ci" cannot have it'
TERMINATING = f'{CREATE}deployments.apps "shipper-2" is forbidden: unable to create new content in namespace builds'


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (FORBIDDEN, CredentialsError, 'User "ci" cannot get resource'),
        ("ERROR: the server has asked for the client to provide credentials: Unauthorized", CredentialsError, "builds"),
        ('ERROR: failed to initialize builder a (b): context "prod" does not exist', ConfigError, "kubeconfig"),
        ('ERROR: error while calling Create: namespaces "builds" not found', ConfigError, "namespace"),
        ("ERROR: failed to initialize builder a (b): invalid driver option x for driver kubernetes", ConfigError, "x"),
        ("ERROR: dial tcp: lookup api.example.com: no such host", UnreachableError, "no such host"),
        ("", UnreachableError, "it said nothing"),
    ],
)
def test_why_it_cannot_be_had(said: str, kind: type[ShipperError], message: str) -> None:
    error = builder_failure(said, CLUSTER)

    assert type(error) is kind
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("said", "what_to_do"),
    [
        (QUOTA, "ResourceQuota"),
        (f"{CREATE}pods is forbidden: failed quota: builds: must specify limits.cpu", "ResourceQuota"),
        (WEBHOOK, "who runs the cluster"),
        (TERMINATING, "who runs the cluster"),
    ],
)
def test_what_admission_refuses_is_no_missing_permission(said: str, what_to_do: str) -> None:
    error = builder_failure(said, CLUSTER)

    assert type(error) is UnreachableError
    assert said.partition(": ")[2] in error.message
    assert what_to_do in error.hint
    assert "pods/exec" not in error.hint


def test_what_shows_more_is_said_where_we_do_not_know() -> None:
    assert builder_failure("ERROR: something new", CLUSTER).hint == "kubectl describe pods shows more"


def test_pods_that_start_are_waited_for_and_refusals_are_not() -> None:
    assert gets_ready("ERROR: expected 1 replicas to be ready, got 0")
    assert gets_ready('ERROR: error while calling deploymentClient.Create: deployments.apps "a" already exists')
    assert not gets_ready(FORBIDDEN)


def test_too_late_says_how_long_and_where_to_look() -> None:
    error = too_late("ERROR: expected 2 replicas to be ready, got 1", CLUSTER)

    assert error.exit_code == 33
    assert "not ready after 5 min 0 s: expected 2 replicas to be ready, got 1" in error.message
    assert error.hint == "kubectl describe pods says why; image.kubernetes.start_timeout is how long"


REMOTE = Instance(
    name="shipper-3", node="shipper-3-0", driver="remote", place="tcp://builds.example.com:1234", patience=30.0
)


@pytest.mark.parametrize(
    ("said", "kind", "about"),
    [
        ("ERROR: invalid driver option x for driver remote", ConfigError, "[image.remote]"),
        ("ERROR: remote error: tls: bad certificate: Unauthorized", CredentialsError, "[image.remote] cert"),
        ('ERROR: context "builds" does not exist', UnreachableError, "buildkitd"),
    ],
)
def test_a_remote_builder_is_not_told_about_a_cluster(said: str, kind: type[ShipperError], about: str) -> None:
    error = builder_failure(said, REMOTE)

    assert type(error) is kind
    assert about in f"{error.message} {error.hint}"
    assert "kube" not in f"{error.message} {error.hint}"
