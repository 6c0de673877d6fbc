"""Artifact Registry's control plane: a repository is made when it is asked for, and looked at when it is there.

Permissions: artifactregistry.repositories.get always, .create and .get (of the operation) where it is made.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from shipper.errors import CredentialsError, NotFound, PublishError, ShipperError, UnreachableError
from shipper.model.context import Cancellation, Reporter
from shipper.registries.artifact_messages import policy_of, wanted_repository
from shipper.registries.artifact_repository import ArtifactRepository
from shipper.registries.artifact_retention import endangers
from shipper.registries.google_credentials import GoogleCredentials, google_errors
from shipper.registries.names import Repository
from shipper.registries.retrying import paused, retried

if TYPE_CHECKING:
    from google.cloud import artifactregistry_v1 as ar

Result = TypeVar("Result")

CALL_TIMEOUT = 30.0
"""Seconds for one call of the API."""

PATIENCE = 180.0
"""Seconds until a repository that is being made must be there; Google makes them in about ten."""

POLLS = (0.2, 0.5, 1.0, 2.0)
"""Seconds between two looks at an operation; the last one from then on."""


class ArtifactRegistry:
    """One repository of Artifact Registry, through the API."""

    def __init__(self, google: GoogleCredentials, place: ArtifactRepository, repository: Repository) -> None:
        self._google = google
        self._place = place
        self._repository = repository
        self._client: Any = None

    def ensure(self, releases: int, report: Reporter, cancel: Cancellation) -> None:
        """The repository is there, made if it was not; what was there is never changed, only looked at.

        A clean-up policy that could delete one of the last `releases` releases gives a remark. Raises PublishError,
        CredentialsError (naming the permission), UnreachableError.
        """
        found = self._get(cancel)
        if found is None:
            report.progress(f"making the repository {self._place.name} in {self._place.location}")
            found = self._made(releases, report, cancel)
        self._check(found, releases, report)

    def _get(self, cancel: Cancellation) -> ar.Repository | None:
        try:
            found: ar.Repository = self._call("get", lambda api: api.get_repository(self._named(), **_ONCE), cancel)
        except NotFound:
            return None
        return found

    def _made(self, releases: int, report: Reporter, cancel: Cancellation) -> ar.Repository:
        try:
            return self._create(releases, report, cancel)
        except NotFound as error:
            raise PublishError(
                f"Artifact Registry cannot make {self._place.resource}: {error}",
                hint=f"is there a project {self._place.project}, and a location {self._place.location}?",
            ) from error

    def _create(self, releases: int, report: Reporter, cancel: Cancellation) -> ar.Repository:
        request = {
            "parent": self._place.parent,
            "repository_id": self._place.name,
            "repository": wanted_repository(releases),
        }
        try:
            operation = self._call("create", lambda api: api.create_repository(request, **_ONCE), cancel)
        except _AlreadyThere:
            operation = None  # somebody else is making it
        self._await(operation, cancel)
        found = self._get(cancel)
        if found is None:
            raise PublishError(f"the repository {self._place.resource} was made and is not there", hint="try again")
        if operation is not None:
            report.remark(f"made the repository {self._place.resource}: immutable tags, clean-up in dry run")
        return found

    def _await(self, operation: Any, cancel: Cancellation) -> None:
        """Until the operation has ended; without one (somebody else's) until the repository is there."""
        end = time.monotonic() + PATIENCE
        waits = iter(POLLS)
        while not self._ended(operation, cancel):
            if time.monotonic() > end:
                raise UnreachableError(
                    f"the repository {self._place.resource} is not there after {PATIENCE:.0f} s",
                    hint="look at it in the console, then release again",
                )
            paused(next(waits, POLLS[-1]), cancel)
        if operation is not None:
            self._call("create", lambda _: operation.result(timeout=CALL_TIMEOUT), cancel)

    def _ended(self, operation: Any, cancel: Cancellation) -> bool:
        if operation is None:
            return self._get(cancel) is not None
        return bool(self._call("get", lambda _: operation.done(), cancel))

    def _check(self, found: ar.Repository, releases: int, report: Reporter) -> None:
        if found.format_.name != "DOCKER" or found.mode.name not in ("STANDARD_REPOSITORY", "MODE_UNSPECIFIED"):
            what = f"{found.mode.name.lower().replace('_', ' ')} for {found.format_.name.lower()}"
            raise PublishError(
                f"the repository {self._place.resource} takes no images: it is a {what}",
                hint="push to a standard repository with format docker",
            )
        if found.cleanup_policy_dry_run:
            return
        danger = endangers(map(policy_of, found.cleanup_policies.values()), self._place.image, releases)
        if danger is not None:
            report.remark(
                f"the clean-up policy {danger.id} of {self._place.resource} could delete rollback targets:"
                f' add one that keeps tags with prefix "cfg-"'
            )

    def _named(self) -> dict[str, str]:
        return {"name": self._place.resource}

    def _call(self, verb: str, call: Callable[[Any], Result], cancel: Cancellation) -> Result:
        def once() -> Result:
            with self._errors(verb):
                return call(self._open())

        return retried(once, self._repository, cancel)

    def _open(self) -> Any:
        if self._client is None:
            from google.cloud import artifactregistry_v1 as ar

            self._client = ar.ArtifactRegistryClient(credentials=self._google.for_api(), transport="rest")
        return self._client

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        with _installed():
            import requests
            from google.api_core import exceptions

            importlib.import_module("google.cloud.artifactregistry_v1")
        with google_errors():
            try:
                yield
            except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
                raise self._translated(error, verb) from error
            except requests.RequestException as error:
                raise _unreachable(f"does not answer: {type(error).__name__}") from error
            except OSError as error:  # so requests tells of a bundle that is not there
                raise CredentialsError(
                    f"Artifact Registry cannot be asked: {error}", hint="is REQUESTS_CA_BUNDLE right?"
                ) from error

    def _translated(self, error: Any, verb: str) -> Exception:
        code, words = int(getattr(error, "code", None) or 0), str(getattr(error, "message", error))[:300]
        if code == 404:
            return NotFound(words)
        if code == 409:
            return _AlreadyThere(words)
        if code in (401, 403):
            return self._denied(error, verb, words)
        if code in (0, 408, 429) or code >= 500:
            return _unreachable(f"is out of order: {words}")
        return PublishError(
            f"Artifact Registry does not make {self._place.resource}: {words}", hint=self._place.create_command
        )

    def _denied(self, error: Any, verb: str, words: str) -> ShipperError:
        if getattr(error, "reason", None) == "SERVICE_DISABLED":
            return PublishError(
                f"the Artifact Registry API is off in project {self._place.project}",
                hint=f"gcloud services enable artifactregistry.googleapis.com --project={self._place.project}",
            )
        if int(error.code) == 401:
            return CredentialsError(
                f"Artifact Registry does not know who asks for {self._place.resource}",
                hint="gcloud auth application-default login, or a key that was not deleted",
                details=(words,),
            )
        metadata = getattr(error, "metadata", None) or {}
        permission = metadata.get("permission") or f"artifactregistry.repositories.{verb}"
        role = "roles/artifactregistry.admin" if verb == "create" else "roles/artifactregistry.reader"
        return CredentialsError(
            f"no permission {permission} on {self._place.parent if verb == 'create' else self._place.resource}",
            hint=f"grant {role} in project {self._place.project} to whom these credentials are",
            details=(words,),
        )


class _AlreadyThere(Exception):
    """409: somebody else made it, or is about to."""


_ONCE = {"retry": None, "timeout": CALL_TIMEOUT}
"""Options of a call: `retried` tries again, nobody else."""


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise PublishError(
            "[image] create_repository needs google-cloud-artifact-registry, which is not installed",
            hint='in a checkout of shipper: pip install ".[gcp]"',
        ) from error


def _unreachable(why: str) -> UnreachableError:
    return UnreachableError(f"Artifact Registry {why}", hint="try again; nothing was deployed")
