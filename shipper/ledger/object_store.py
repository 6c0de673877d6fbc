"""A store of objects through obstore: S3 and what is compatible with it, Google Cloud Storage, Azure, memory.

obstore's own retries are off: it knows no nonce, so that after a lost answer it takes our own write for another's.
Its behaviour on each store is measured in tests/integration/ledger.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from shipper.errors import LedgerError
from shipper.ledger.store import LARGE, Doubtful

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Handle

_NO_BUCKET = re.compile(r"<Code>(?:NoSuchBucket|ContainerNotFound|AccountNotFound)</Code>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_QUERY = re.compile(r"\?[^\s|]*")
_WRONG_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})
_TOKEN = ("token request", "/latest/api/token", "/latest/meta-data", "AssumeRole", "credential")
_AGAIN = frozenset({408, 409, 425, 429})


class ObjectStore:
    """Implements shipper.ledger.store.Store with two obstore handles that differ in their time-out."""

    def __init__(
        self, url: str, prefix: str, quick: Handle, long: Callable[[], Handle], *, machine_only: bool = False
    ) -> None:
        self._url = url
        self._prefix = f"{prefix}/" if prefix else ""
        self._quick = quick
        self._long = functools.cache(long)  # made when needed: loading certificates takes 0.1 s
        self._machine_only = machine_only

    @property
    def url(self) -> str:
        """scheme://bucket/prefix."""
        return self._url

    @property
    def machine_only(self) -> bool:
        """Whether it is this process's memory."""
        return self._machine_only

    def get(self, key: str, *, large: bool = False) -> bytes | None:
        """The object; None when there is none."""
        import obstore

        try:
            return bytes(obstore.get(self._long() if large else self._quick, self._prefix + key).bytes())
        except FileNotFoundError as error:  # obstore's way to say 404
            if _NO_BUCKET.search(str(error)):
                raise self._no_bucket() from None
            return None
        except obstore.exceptions.BaseError as error:
            raise self._failure("read", key, error) from error

    def create(self, key: str, body: bytes) -> bool:
        """Put with the condition that there is none."""
        import obstore

        try:
            obstore.put(self._handle(body), self._prefix + key, body, mode="create", use_multipart=False)
        except obstore.exceptions.AlreadyExistsError:  # also S3's 409 "in conflict with another such request"
            return False
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except obstore.exceptions.BaseError as error:
            raise self._failure("create", key, error) from error
        return True

    def put(self, key: str, body: bytes) -> None:
        """Put whatever is there."""
        import obstore

        try:
            obstore.put(self._handle(body), self._prefix + key, body, use_multipart=False)
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except obstore.exceptions.BaseError as error:
            raise self._failure("write", key, error) from error

    def _handle(self, body: bytes) -> Handle:
        return self._long() if len(body) > LARGE else self._quick

    def _no_bucket(self) -> LedgerError:
        return LedgerError(f"there is no bucket for {self._url}", hint="create it, or correct the ledger's URL")

    def _failure(self, verb: str, key: str, error: Exception) -> LedgerError:
        return explained(f"the ledger cannot {verb} {self._url}/{key}", error)


def explained(what: str, error: Exception) -> LedgerError:
    """An error of obstore in our words: refused for good, or doubtful. Nothing of a query or a signature in it."""
    import obstore

    text = str(error).partition("Debug source:")[0]
    status, code = _found(_STATUS, text), _found(_CODE, text)
    if code in _WRONG_KEYS or isinstance(error, obstore.exceptions.UnauthenticatedError):
        return LedgerError(f"{what}: the store does not accept our credentials", hint=_HINT_CREDENTIALS)
    if any(word in text for word in _TOKEN):
        return LedgerError(f"{what}: no credentials for it were found", hint=_HINT_CREDENTIALS, details=_first(text))
    if isinstance(error, obstore.exceptions.PermissionDeniedError):
        return LedgerError(f"{what}: not permitted ({code or 'access denied'})", hint=_HINT_PERMISSION)
    if "redirect" in text:
        hint = "the bucket is in another region: set AWS_REGION, or correct the endpoint"
        return LedgerError(f"{what}: the store sends us elsewhere", hint=hint)
    if status and int(status) not in _AGAIN and int(status) < 500:
        return LedgerError(f"{what}: the store answers {status} {code}".rstrip(), hint="check the ledger's URL")
    if status:
        return Doubtful(f"{what}: the store answers {status} {code}".rstrip(), hint=_HINT_AGAIN)
    return Doubtful(f"{what}: the store does not answer", hint=_HINT_AGAIN, details=_first(text))


_HINT_CREDENTIALS = (
    "set the store's own environment variables (AWS_ACCESS_KEY_ID …, GOOGLE_APPLICATION_CREDENTIALS, "
    "AZURE_STORAGE_ACCOUNT_KEY …), or sign in with its command line"
)
_HINT_PERMISSION = (
    "reading, creating and overwriting objects is needed; on S3 also s3:ListBucket, without which it answers 403 for "
    "an object that is not there"
)
_HINT_AGAIN = "check the network and the store's endpoint, then try again"


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1) if match else ""


def _first(text: str) -> tuple[str, ...]:
    line = _QUERY.sub("", text.strip().splitlines()[0]) if text.strip() else ""
    return (line[:200],) if line else ()
