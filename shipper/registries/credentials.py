"""Credentials for a registry, from where `docker login` put them."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shipper.errors import CredentialsError
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.registries.names import Repository

HELPER_TIMEOUT = 30.0
"""Seconds for a credential helper: some ask a cloud's metadata service or unlock a key ring."""

_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN_USER = "<token>"  # noqa: S105 - the name that helpers give when the secret is an identity token


class HelperFailed(CredentialsError):
    """A credential helper of Docker's configuration is missing, does not answer, or has no credentials to give."""


@dataclass(frozen=True)
class Credentials:
    """Either user and password, or an identity token. Never printed."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def for_engine(self) -> dict[str, str]:
        """As the engine's API takes them."""
        if self.identity_token:
            return {"identitytoken": self.identity_token}
        return {"username": self.username, "password": self.password}


def find_credentials(repository: Repository, cancel: Cancellation | None = None) -> Credentials | None:
    """What Docker's configuration knows for this registry (`credHelpers`, `credsStore`, `auths`); None: anonymous.

    Raises CredentialsError when the configuration cannot be used, HelperFailed when a helper cannot.
    """
    configuration = _read_configuration(_configuration_file())
    key = repository.credentials_key
    helper = (configuration.get("credHelpers") or {}).get(key) or configuration.get("credsStore")
    if helper:
        found = _ask_helper(str(helper), key, cancel)
        if found is not None:
            return found
    return _stored(configuration.get("auths") or {}, repository)


def _configuration_file() -> Path:
    directory = os.environ.get("DOCKER_CONFIG")
    return Path(directory or Path.home() / ".docker") / "config.json"


def _read_configuration(file: Path) -> Mapping[str, Any]:
    try:
        configuration = parse_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CredentialsError(
            f"Docker's configuration {file} cannot be read: {type(error).__name__}", hint="correct or remove that file"
        ) from error
    return configuration if isinstance(configuration, dict) else {}


def _stored(auths: Mapping[str, Any], repository: Repository) -> Credentials | None:
    for key, entry in auths.items():
        if isinstance(entry, dict) and entry and _host_of(key) == _host_of(repository.credentials_key):
            return _decoded(entry, repository)
    return None


def _decoded(entry: Mapping[str, Any], repository: Repository) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(identity_token=str(entry["identitytoken"]))
    if not entry.get("auth"):
        return None
    try:
        user, password = base64.b64decode(str(entry["auth"]).strip(), validate=True).decode().split(":", 1)
    except ValueError as error:  # also what base64 and UTF-8 raise
        raise CredentialsError(
            f"the stored credentials for {repository.registry} cannot be read",
            hint=f"docker login {_login(repository)}",
        ) from error
    return Credentials(user, password.rstrip("\0"))


def _ask_helper(helper: str, key: str, cancel: Cancellation | None) -> Credentials | None:
    from shipper.processes import ProgramMissing, TimedOut, helper_environment, run

    if not _HELPER_NAME.fullmatch(helper):
        raise CredentialsError(f"Docker's configuration names a credential helper {helper!r}", hint="correct its name")
    program = f"docker-credential-{helper}"
    try:
        environment = helper_environment()
        finished = run((program, "get"), env=environment, input=key.encode(), timeout=HELPER_TIMEOUT, cancel=cancel)
    except TimedOut as error:
        raise HelperFailed(f"{program} did not answer", hint=f"try: echo {key} | {program} get") from error
    except ProgramMissing as error:
        raise HelperFailed(
            f"Docker's configuration has the credentials for {key} with {program}: {error.message}",
            hint="install it, or take it out of credHelpers and credsStore",
        ) from error
    if not finished.ok:
        if "credentials not found" in (finished.stdout + finished.stderr).lower():
            return None
        raise HelperFailed(
            f"{program} gave no credentials for {key}: it ended with status {finished.returncode}",
            hint=f"try: echo {key} | {program} get",
        )
    return _from_helper(finished.stdout, program)


def _from_helper(output: str, program: str) -> Credentials:
    try:
        answer = parse_json(output)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise HelperFailed(f"{program} answered something else than credentials", hint="update it") from error
    return Credentials(identity_token=secret) if user == _TOKEN_USER else Credentials(user, secret)


def _host_of(key: str) -> str:
    """Old configurations have whole addresses as keys."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return "index.docker.io" if host in {"docker.io", "registry-1.docker.io"} else host


def _login(repository: Repository) -> str:
    return "" if repository.registry == "docker.io" else repository.registry
