"""Secrets of the platform's own: a run uses the version that it has found first, whatever is added meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shipper.errors import NotFound
from shipper.targets.conformance.here import Here
from shipper.targets.conformance.rig import StoresSecrets
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import PinsSecrets


@scenario(needs=[PinsSecrets, StoresSecrets])
def a_version_of_a_secret_means_itself(here: Here) -> None:
    """Asked by its version a secret is found and read as it was then, by its reference as it is now.

    Where a secret has one value at a time, that of then is not there any more, and nobody is given another one for it.
    """
    here.knows(LICENCE="value of then")
    references, target = here.settings.run.secrets, here.target()
    assert isinstance(target, PinsSecrets)
    then = dict(target.secret_versions(references))
    here.knows(LICENCE="value of now")
    now = dict(target.secret_versions(references))
    assert now != then, f"two values have one version: {then}"
    assert dict(target.secret_versions(now)) == now
    if target.traits.secrets_change_in_place:
        gone(lambda: target.secret_versions(then), then)
        gone(lambda: target.secret_value(then["LICENCE"]), then)
    else:
        assert dict(target.secret_versions(then)) == then
        assert target.secret_value(then["LICENCE"]) == b"value of then"
    assert target.secret_value(now["LICENCE"]) == b"value of now"
    assert target.secret_value(references["LICENCE"]) == b"value of now"


def gone(ask: Callable[[], object], version: Mapping[str, str]) -> None:
    """Asking is answered by NotFound."""
    try:
        found = ask()
    except NotFound:
        return
    raise AssertionError(f"{version} was changed since, and {found!r} was given for it")
