"""Why a build failed, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shipper.errors import BuildError, CredentialsError, UnreachableError
from shipper.images.context import BuildContext
from shipper.images.failure import build_failure

pytestmark = pytest.mark.unit

ContextOf = Callable[..., BuildContext]


def test_a_failing_step_is_named_with_its_place_and_last_lines(context_of: ContextOf) -> None:
    client = [
        "Dockerfile:9",
        "   9 | >>> RUN make",
        'ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
    ]

    error = build_failure(client, ["cc: not found"], "step 3/3: RUN make", context_of({}), 1)

    assert error.message == "the build failed at Dockerfile:9, step 3/3: RUN make: exit code 2"
    assert error.details[0] == "cc: not found"


def test_a_file_kept_out_by_dockerignore_names_the_line(context_of: ContextOf) -> None:
    context = context_of({"model.onnx": "1", ".dockerignore": "*.csv\n*.onnx\n"})
    client = ['ERROR: failed to solve: failed to calculate checksum of ref x::y: "/model.onnx": not found']

    error = build_failure(client, [], "", context, 1)

    assert error.hint == "model.onnx is there, but .dockerignore:2 (*.onnx) keeps it out"


@pytest.mark.parametrize(
    ("said", "hint", "kind"),
    [
        ("Cannot connect to the Docker daemon.", "start Docker", UnreachableError),
        ("permission denied while trying to connect to the Docker daemon socket", "group docker", CredentialsError),
        ("failed to solve: write /x: no space left on device", "free disk space", BuildError),
        ("failed to resolve source metadata for docker.io/docker/dockerfile:1", "# syntax=", BuildError),
        ("failed to solve: python:3.11: no match for platform in manifest: not found", "platform", BuildError),
        ("failed to solve: secret TOKEN: not found", "[image.secrets]", BuildError),
        ('failed to solve: target stage "web" could not be found', "image.stage", BuildError),
        ("docker: 'buildx' is not a docker command.", "install the buildx plugin", BuildError),
    ],
)  # fmt: skip
def test_common_causes_have_a_next_step(context_of: ContextOf, said: str, hint: str, kind: type[Exception]) -> None:
    error = build_failure([f"ERROR: {said}"], [], "", context_of({}), 1)

    assert type(error) is kind
    assert hint in error.hint


def test_a_network_failure_inside_a_step_is_seen_in_its_output(context_of: ContextOf) -> None:
    lines = ["WARNING: Retrying: Temporary failure in name resolution"]

    error = build_failure(
        ["ERROR: failed to solve: exit code: 1"], lines, "step 2/2: RUN pip install x", context_of({}), 1
    )

    assert "network" in error.hint


_TEST_STEP = (
    'ERROR: failed to solve: process "/bin/sh -c go test ./..." did not complete successfully: exit code: 1',
    "RUN go test ./...",
)


@pytest.mark.parametrize(
    "printed",
    [
        'client_test.go:17: rpc error: code = Unavailable desc = connection error: desc = "transport: refused"',
        "docker.errors: error during connect: is the docker daemon running?",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
        "dial unix /var/run/docker.sock: connect: permission denied",
    ],
)
def test_what_a_step_prints_of_engines_of_its_own_is_a_failed_build(context_of: ContextOf, printed: str) -> None:
    said, step = _TEST_STEP
    error = build_failure(["Dockerfile:7", said], ["--- FAIL: TestClient (0.01s)", printed], step, context_of({}), 1)

    assert (type(error), error.exit_code) == (BuildError, 11)
    assert printed in error.details


def test_nor_does_the_command_of_a_step(context_of: ContextOf) -> None:
    said = 'ERROR: failed to solve: process "/bin/sh -c grep error during connect log" did not complete successfully: '
    error = build_failure([f"{said}exit code: 1"], [], "", context_of({}), 1)
    assert type(error) is BuildError


@pytest.mark.parametrize("coded", ["rpc error: code = Unavailable desc = ", "Unavailable: "])
@pytest.mark.parametrize("said", ["error reading from server: EOF", "closing transport due to: EOF"])
def test_a_step_that_never_ended_lost_its_builder(context_of: ContextOf, coded: str, said: str) -> None:
    """gRPC's own words of a status, and those of BuildKit's wrapper for it: which of the two buildx prints depends on
    which of its streams broke first."""
    client = [f"ERROR: failed to solve: {coded}{said}"]
    error = build_failure(client, ["compiling"], "RUN make", context_of({}), 1)
    assert type(error) is UnreachableError
