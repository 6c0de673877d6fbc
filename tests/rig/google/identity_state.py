"""What the rig's identity service knows, in a folder: every process that is given the folder agrees.

Files are written whole and renamed, keys are made once whoever comes first, and nothing is cached: a test that denies
a permission is heard by a daemon at its next request.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LIFETIME = 3599.0
"""Seconds that an access token lives, as Google's token endpoint says it (`expires_in`)."""


@dataclass(frozen=True)
class SigningKey:
    """A private key, its id, and who owns it (an account's e-mail, or "" for the services' own)."""

    kid: str
    private: str
    public: str
    owner: str = ""


class IdentityState:
    """Keys, users, lifetimes, revocations and denied permissions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def secret(self) -> bytes:
        """What access tokens are authenticated with."""
        return bytes.fromhex(self._made_once("secret", lambda: secrets.token_hex(32)))

    def service_key(self, name: str) -> SigningKey:
        """A service's own key: "google" signs identity tokens, "github" the subject tokens of a CI."""
        made = self._made_once(f"services/{name}.json", lambda: json.dumps(_new_key("").__dict__))
        return SigningKey(**json.loads(made))

    def new_account_key(self, account: str) -> SigningKey:
        """A key of a service account, as `gcloud iam service-accounts keys create`: kept here is its public half."""
        key = _new_key(account)
        self._write(f"keys/{key.kid}.json", {"owner": account, "public": key.public})
        return key

    def public_keys(self, account: str) -> dict[str, str]:
        """Key id -> public key of an account; none for an account that never had one."""
        found = {}
        for path in (self.folder / "keys").glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                key = json.loads(path.read_text())
                if key["owner"] == account:
                    found[path.stem] = key["public"]
        return found

    def delete_key(self, kid: str) -> None:
        (self.folder / "keys" / f"{kid}.json").unlink(missing_ok=True)

    def new_refresh_token(self, user: str) -> str:
        """What `gcloud auth application-default login` leaves behind."""
        token = f"1//{secrets.token_urlsafe(24)}"
        self._write(f"users/{_name(token)}", {"user": user})
        return token

    def user_of(self, refresh_token: str) -> str | None:
        found = self._read(f"users/{_name(refresh_token)}")
        return str(found["user"]) if found else None

    def forget_refresh_token(self, refresh_token: str) -> None:
        """As when the user revokes it, changes the password, or an organisation's session control ends it."""
        (self.folder / f"users/{_name(refresh_token)}").unlink(missing_ok=True)

    def lifetime(self, principal: str) -> float:
        """Seconds that this principal's access tokens live."""
        found = self._read(f"lifetimes/{_name(principal)}")
        return float(found["seconds"]) if found else LIFETIME

    def set_lifetime(self, principal: str, seconds: float) -> None:
        self._write(f"lifetimes/{_name(principal)}", {"principal": principal, "seconds": seconds})

    def revoke(self, principal: str) -> None:
        """No access token of this principal that was issued until now is good any more."""
        self._write(f"revoked/{_name(principal)}", {"principal": principal, "until": time.time_ns()})

    def revoked_until(self, principal: str) -> int:
        """Nanoseconds since 1970; 0 when nothing was revoked."""
        found = self._read(f"revoked/{_name(principal)}")
        return int(found["until"]) if found else 0

    def deny(self, principal: str, permission: str, project: str) -> None:
        triple = {"principal": principal, "permission": permission, "project": project}
        self._write(f"denied/{_name(principal, permission, project)}", triple)

    def allow(self, principal: str, permission: str, project: str) -> None:
        """Take a denial back."""
        (self.folder / f"denied/{_name(principal, permission, project)}").unlink(missing_ok=True)

    def allowed(self, principal: str, permission: str, project: str) -> bool:
        """Everything is allowed that was not denied: there are no roles here."""
        return not (self.folder / f"denied/{_name(principal, permission, project)}").exists()

    def _made_once(self, name: str, make: Callable[[], str]) -> str:
        path = self.folder / name
        if not path.exists():
            draft = self._draft(name, make())
            with contextlib.suppress(FileExistsError):  # another process was first: its one counts
                os.link(draft, path)
            draft.unlink()
        return path.read_text()

    def _write(self, name: str, value: dict[str, Any]) -> None:
        self._draft(name, json.dumps(value)).rename(self.folder / name)

    def _draft(self, name: str, text: str) -> Path:
        path = self.folder / f"{name}.{uuid.uuid4().hex}.draft"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.folder / name).read_text())
        except FileNotFoundError:
            return None
        return found


def _new_key(owner: str) -> SigningKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SigningKey(uuid.uuid4().hex, private_pem.decode(), public_pem.decode(), owner)


def _name(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]
