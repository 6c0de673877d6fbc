"""Whether a BuildKit answers at the other end of ssh, and if not, why.

buildx starts `ssh host -- buildctl dial-stdio` and keeps what it says to itself. So we start the same once, and greet.
"""

from __future__ import annotations

from shipper.errors import CredentialsError, UnreachableError
from shipper.images.builder_reach import PREFACE
from shipper.model.builder import RemoteBuilder
from shipper.model.context import Cancellation
from shipper.processes.ssh_failure import why_it_ended
from shipper.processes.ssh_host import ssh_host

_NOT_FOUND = 127
_SSH_FAILED = 255


def knock_ssh(remote: RemoteBuilder, cancel: Cancellation | None) -> None:
    """Returns when a BuildKit answers. Raises CredentialsError (32), UnreachableError (33), and what a cancellation
    raises."""
    from shipper.processes import TimedOut, run
    from shipper.processes.ssh_call import client, environment

    host = ssh_host(remote.address)
    where = ("--addr", f"unix://{host.socket}") if host.socket else ()
    command = (*client(), *host.words(), "buildctl", *where, "dial-stdio")
    try:
        ended = run(command, env=environment(), input=PREFACE, timeout=remote.start_timeout, cancel=cancel, keep=50)
    except TimedOut as error:
        raise UnreachableError(
            f"the builder at {remote.address} did not answer in time",
            hint=f"does `ssh {host} buildctl debug workers` work?",
        ) from error
    if ended.ok:
        return
    if ended.returncode == _NOT_FOUND:
        raise UnreachableError(
            f"{host} has no buildctl on PATH",
            hint="install BuildKit there (buildctl beside buildkitd), on the PATH of logins without a terminal",
        )
    if ended.returncode == _SSH_FAILED:
        failure = why_it_ended(ended.stderr, ended.returncode, host)
        kind = CredentialsError if failure.refused else UnreachableError
        raise kind(failure.message, hint=failure.hint, cause=failure.kind)
    said = ended.stderr.strip().splitlines() or ["it said nothing"]
    raise UnreachableError(
        f"buildctl reaches no BuildKit on {host}: {said[-1][:300]}",
        hint=f"does `ssh {host} buildctl debug workers` work? the socket may follow the host in image.remote.address",
    )
