"""Secret references -> values, on the releaser's machine, when they are first asked for."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shipper.config.document import PYPROJECT_TOML, SHIPPER_TOML, read
from shipper.config.keyfile import machine_key
from shipper.config.overlay import merged
from shipper.config.positions import KeyPath, Position
from shipper.config.problem import ConfigProblem, ConfigProblems, file_name, problem
from shipper.config.regular import NotRegular, read_regular
from shipper.errors import (
    ConfigError,
    CredentialsError,
    Denied,
    PlatformError,
    ShipperError,
    Transient,
    UnreachableError,
)
from shipper.model.context import VersionsOf
from shipper.model.printable import printable
from shipper.model.secret import Secret
from shipper.model.settings import Settings, native_secrets
from shipper.targets.secret_pins import SecretPins

_log = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024
_SECTIONS = ("run", "image", "smoke")


class ResolvedSecrets:
    """The `shipper.model.context.Secrets` of one run: each value is read once and never written anywhere, each of the
    platform's own secrets has one version.

    Relative `file:` paths start from `root`, `~` is the user's home. Values are taken as they are, a last line end
    included. May be used from several threads. With `whatever_is_here` a reference without a value is passed over: a
    rollback needs the values of then, which the target has, and not those of this machine.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], root: Path, *, whatever_is_here: bool = False
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._root = root
        self._whatever_is_here = whatever_is_here
        self._lock = threading.RLock()
        self._resolved: dict[str, tuple[Secret, ...]] = {}
        self._native: dict[str, Secret] = {}
        self._value_of: Callable[[str], bytes] | None = None
        self._versions_of: VersionsOf | None = None
        self._pins = SecretPins()
        self._tell: Callable[[Sequence[Secret]], None] | None = None

    def run(self) -> tuple[Secret, ...]:
        """`[run.secrets]`, without those that are the platform's own.

        Raises ConfigProblems naming every reference of the configuration without a value.
        """
        return self._section("run")

    def trial(self) -> tuple[Secret, ...]:
        """What a candidate gets: `[run.secrets]`, with the stand-ins of `[smoke.secrets]`.

        A platform's own secret without a stand-in is read from the platform (`reads_native`). Raises ConfigProblems,
        and for one that cannot be read CredentialsError (32) or UnreachableError (33).
        """
        stand_ins = {secret.name: secret for secret in self._section("smoke")}
        own = {secret.name: secret for secret in self.run() if secret.name not in stand_ins}
        self._told(tuple(stand_ins.values()))
        return tuple(
            stand_ins.get(name) or own.get(name) or self._native_value(name, reference)
            for name, reference in self._settings.run.secrets.items()
        )

    def trial_versions(self) -> dict[str, str]:
        """What makes another trial: name -> keyed hash of the value of `[smoke.secrets]`, with this user's key, and
        the platform's versions of its own secrets that have no stand-in. Raises ConfigProblems, PlatformError.
        """
        return {**self.stand_in_versions(), **self._native_versions()}

    def stand_in_versions(self) -> dict[str, str]:
        """Name -> keyed hash of the value of `[smoke.secrets]`. Raises ConfigProblems; asks no platform."""
        return self._hashed(self._section("smoke"), None)

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        """Name -> version of the platform's own secrets: what a trial has had is what a release gets, if it is still
        there. Raises NotFound when it is not, and PlatformError.
        """
        return self._pins.confirm(references, versions_of)

    def reads_native(self, value_of: Callable[[str], bytes], versions_of: VersionsOf) -> None:
        """From now on a platform's own secrets have values and versions.

        `value_of` takes a version, `versions_of` names with references; both raise PlatformError.
        """
        self._value_of, self._versions_of = value_of, versions_of

    def tells(self, tell: Callable[[Sequence[Secret]], None]) -> None:
        """Whatever a trial reads is handed to `tell` before anybody else gets it: to be hidden in what is shown."""
        self._tell = tell

    def readable(self) -> tuple[Secret, ...]:
        """Every value of the configuration that can be had, for hiding: what cannot is passed over."""
        return (*(secret for section in _SECTIONS for secret in self._read(section)[0]), *self._readable_native())

    def build(self) -> tuple[Secret, ...]:
        """`[image.secrets]`. Raises ConfigProblems naming every reference of the configuration without a value."""
        return self._section("image")

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        """Name -> keyed hash of the value (HMAC-SHA256, 32 hex digits) of `[run.secrets]`.

        With the place's own `key` every machine that may write there finds the same; without one it is this user's
        and machine's own (see keyfile). To anybody without the key a hash says nothing.
        """
        return self._hashed(self.run(), key)

    def _hashed(self, secrets: tuple[Secret, ...], key: bytes | None) -> dict[str, str]:
        if not secrets:
            return {}
        key = machine_key(self._environ) if key is None else key
        return {secret.name: _version(key, secret) for secret in secrets}

    def _section(self, section: str) -> tuple[Secret, ...]:
        with self._lock:
            if section not in self._resolved:
                self._resolved[section] = self._resolve(section)
            return self._resolved[section]

    def _resolve(self, section: str) -> tuple[Secret, ...]:
        secrets, missing = self._read(section)
        if not missing or self._whatever_is_here:
            return secrets
        for other in _SECTIONS:  # whoever has to fetch one value would rather hear of all at once
            missing += self._read(other)[1] if other != section else []
        raise _refused(self._settings, missing)

    def _read(self, section: str) -> tuple[tuple[Secret, ...], list[tuple[KeyPath, str, str, str]]]:
        secrets: list[Secret] = []
        missing: list[tuple[KeyPath, str, str, str]] = []
        for name, reference in _references(self._settings, section).items():
            try:
                secrets.append(Secret(name, self._value(reference)))
            except _NoValue as reason:
                missing.append(((section, "secrets", name), reference, reason.what, reason.hint))
        return tuple(secrets), missing

    def _native_value(self, name: str, reference: str) -> Secret:
        """Raises ConfigProblems, CredentialsError, UnreachableError: who cannot read it gives a stand-in."""
        try:
            return self._read_native(name, reference)
        except PlatformError as error:
            raise _unread(self._settings, name, reference, error) from error

    def _read_native(self, name: str, reference: str) -> Secret:
        """From the platform, once. Raises PlatformError."""
        if name not in self._native:
            if self._value_of is None:
                raise _none_of_its_own()
            secret = Secret(name, self._value_of(self._settled({name: reference})[name]))
            self._told((secret,))
            self._native[name] = secret
        return self._native[name]

    def _readable_native(self) -> tuple[Secret, ...]:
        found: list[Secret] = []
        for name, reference in native_secrets(self._settings.run.secrets).items():
            try:
                found.append(self._read_native(name, reference))
            except (PlatformError, ShipperError) as error:
                _log.debug("the value of %s is not known, and cannot be hidden: %s", name, error)
                if isinstance(error, Transient | UnreachableError):
                    break  # the others would only wait as long
        return tuple(found)

    def _native_versions(self) -> dict[str, str]:
        """Of those that a candidate gets from the platform. Raises PlatformError."""
        smoke = self._settings.smoke
        native = native_secrets(self._settings.run.secrets)
        asked = {name: reference for name, reference in native.items() if name not in smoke.secrets}
        return self._settled(asked) if asked and smoke.enabled else {}

    def _settled(self, references: Mapping[str, str]) -> dict[str, str]:
        if self._versions_of is None:
            raise _none_of_its_own()
        return self._pins.settle(references, self._versions_of)

    def _told(self, secrets: Sequence[Secret]) -> None:
        if self._tell is not None and secrets:
            self._tell(secrets)

    def _value(self, reference: str) -> bytes:
        kind, _, rest = reference.partition(":")
        value = self._from_environment(rest) if kind == "env" else self._from_file(rest)
        if not value.strip():
            raise _NoValue("it is empty", f"give {printable(rest)} a value")
        return value

    def _from_environment(self, name: str) -> bytes:
        value = self._environ.get(name)
        if value is None:
            raise _NoValue("the variable is not set", f"export {name}=…, or write another reference")
        return os.fsencode(value)

    def _from_file(self, text: str) -> bytes:
        try:
            value, _ = read_regular(self._root / Path(text).expanduser(), MAX_BYTES)
        except NotRegular:
            raise _NoValue("it is not a regular file", "write the value into a plain file") from None
        except (OSError, RuntimeError, ValueError) as error:
            raise _NoValue(_reason(error), "create it or correct the path") from None
        if len(value) > MAX_BYTES:
            raise _NoValue("the file is larger than 1 MiB", "a secret is small; mount data as a volume")
        return value


class _NoValue(Exception):
    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def _none_of_its_own() -> PlatformError:
    return PlatformError("the target keeps no secrets of its own")


def _version(key: bytes, secret: Secret) -> str:
    """Bound to the name, so that two names with one value do not look alike."""
    message = secret.name.encode() + b"\0" + secret.reveal()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def _references(settings: Settings, section: str) -> Mapping[str, str]:
    trial = settings.smoke.secrets if settings.smoke.enabled else {}  # without a trial nobody needs a stand-in
    sections = {"run": settings.run.secrets, "image": settings.image.secrets, "smoke": trial}
    native = native_secrets(sections[section])
    return {name: reference for name, reference in sections[section].items() if name not in native}


def _refused(settings: Settings, missing: list[tuple[KeyPath, str, str, str]]) -> ConfigProblems:
    problems = [_problem(settings, *one) for one in missing]
    count = "1 secret has" if len(problems) == 1 else f"{len(problems)} secrets have"
    return ConfigProblems(
        problems,
        message=f"{count} no value on this machine",
        hint="give each a value, then run the command again",
    )


def _unread(settings: Settings, name: str, reference: str, error: PlatformError) -> ShipperError:
    """A platform's own secret that a trial does not get: 33, 32, or 2 for one that is not there."""
    hint = f'give the smoke test a stand-in: [smoke.secrets] {name} = "env:{name}"'
    refused = _refused(settings, [(("run", "secrets", name), reference, str(error), hint)])
    if isinstance(error, Transient):
        message = f"the value of {name} cannot be read for the smoke test: the target does not answer"
        return UnreachableError(message, hint=f"try again, or {hint}", details=refused.details)
    if isinstance(error, Denied):
        message = f"the value of {name} may not be read for the smoke test"
        return CredentialsError(message, hint=f"grant it, or {hint}", details=refused.details)
    return refused


def _problem(settings: Settings, path: KeyPath, reference: str, what: str, hint: str) -> ConfigProblem:
    """A reference names a place and is no secret: it is shown."""
    file, position = _written(settings, path)
    shown = printable(reference)
    return problem(file, position, path, f"{shown}: {what}", found=shown, hint=hint)


def _written(settings: Settings, path: KeyPath) -> tuple[str, Position | None]:
    """File and line of the reference; without the line when the file cannot be read any more."""
    root = Path(settings.service.root)
    for name in (SHIPPER_TOML, PYPROJECT_TOML):
        if (root / name).is_file():
            try:
                document = read(root / name)
            except ConfigError:
                continue
            source = merged(document, settings.service.environment)
            if source.origin(path) != "default":
                return document.file, source.position(path)
    return file_name(root / SHIPPER_TOML), None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
