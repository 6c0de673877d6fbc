"""Secret references -> values, on the releaser's machine, when they are first asked for."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from shipper.config.document import PYPROJECT_TOML, SHIPPER_TOML, read
from shipper.config.keyfile import machine_key
from shipper.config.overlay import merged
from shipper.config.positions import KeyPath, Position
from shipper.config.problem import ConfigProblem, ConfigProblems, file_name, problem
from shipper.config.regular import NotRegular, read_regular
from shipper.errors import ConfigError, PlatformError
from shipper.model.printable import printable
from shipper.model.secret import Secret
from shipper.model.settings import Settings, native_secrets

MAX_BYTES = 1024 * 1024
_SECTIONS = ("run", "image", "smoke")


class ResolvedSecrets:
    """The `shipper.model.context.Secrets` of one run: each value is read once and never written anywhere.

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
        self._value_of: Callable[[str], bytes] | None = None

    def run(self) -> tuple[Secret, ...]:
        """`[run.secrets]`, without those that are the platform's own.

        Raises ConfigProblems naming every reference of the configuration without a value.
        """
        return self._section("run")

    def trial(self) -> tuple[Secret, ...]:
        """What a candidate gets: `[run.secrets]`, with the stand-ins of `[smoke.secrets]`.

        A platform's own secret without a stand-in is read from the platform (`reads_native`). Raises ConfigProblems.
        """
        stand_ins = {secret.name: secret for secret in self._section("smoke")}
        own = {secret.name: secret for secret in self.run() if secret.name not in stand_ins}
        return tuple(
            stand_ins.get(name) or own.get(name) or self._native_value(name, reference)
            for name, reference in self._settings.run.secrets.items()
        )

    def trial_versions(self) -> dict[str, str]:
        """Name -> keyed hash of the value of `[smoke.secrets]`, with this user's key. Raises ConfigProblems."""
        return self._hashed(self._section("smoke"), None)

    def reads_native(self, value_of: Callable[[str], bytes]) -> None:
        """From now on a platform's own secrets have values. `value_of` takes a reference and raises PlatformError."""
        self._value_of = value_of

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
        """Raises ConfigProblems: who cannot read it gives the candidate a stand-in."""
        reason = "the target keeps no secrets of its own"
        if self._value_of is not None:
            try:
                return Secret(name, self._value_of(reference))
            except PlatformError as error:
                reason = str(error)
        hint = f'give the smoke test a stand-in: [smoke.secrets] {name} = "env:{name}"'
        raise _refused(self._settings, [(("run", "secrets", name), reference, reason, hint)])

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


def _version(key: bytes, secret: Secret) -> str:
    """Bound to the name, so that two names with one value do not look alike."""
    message = secret.name.encode() + b"\0" + secret.reveal()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def _references(settings: Settings, section: str) -> Mapping[str, str]:
    sections = {"run": settings.run.secrets, "image": settings.image.secrets, "smoke": settings.smoke.secrets}
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
