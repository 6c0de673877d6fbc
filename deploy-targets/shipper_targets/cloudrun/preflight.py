"""Everything that would make a release fail on Cloud Run, found before the build."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shipper.model import Problem, Settings
from shipper.model.context import Reporter
from shipper.targets import Denied, Invalid, NotFound, PlatformError, Transient, retry_transient, unbuilt
from shipper_targets.cloudrun.api import Api, Unfinished
from shipper_targets.cloudrun.identity import Identity
from shipper_targets.cloudrun.limits import PLATFORM, limit_problems, remarks_of
from shipper_targets.cloudrun.names import owner_of
from shipper_targets.cloudrun.permissions import ACCESS, ACCESS_ROLE, may_read_value, permission_problems
from shipper_targets.cloudrun.rehearsal import rehearse
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_manager import SecretManager
from shipper_targets.cloudrun.secret_names import SCHEME
from shipper_targets.cloudrun.settings import CloudRunSettings

if TYPE_CHECKING:
    from google.cloud import run_v2

PLACEHOLDER = "us-docker.pkg.dev/cloudrun/container/hello"
"""Google's own example, in the place of an image that is not built yet: nothing is made of it."""

_NOT_OURS = "see docs/targets/cloudrun.md, permissions"


class Preflight:
    """Asks the platform; what depends on nothing there is in limits.py. Never writes."""

    def __init__(
        self,
        api: Api,
        rest: Rest,
        secrets: SecretManager,
        identity: Identity,
        own: CloudRunSettings,
        report: Reporter | None,
    ) -> None:
        self._api = api
        self._rest = rest
        self._secrets = secrets
        self._identity = identity
        self._own = own
        self._report = report

    def problems(self, settings: Settings, target: str) -> list[Problem]:
        """All at once. A rehearsal follows when nothing else is wrong: the platform's own opinion of the request."""
        found = limit_problems(settings, self._own)
        for text in remarks_of(settings):
            self._remark(text)
        try:
            found += permission_problems(self._rest, self._api, self._own, self._report)
            versions: dict[str, str] = {}
            service = retry_transient(self._api.service)
            found += self._somebody_elses(service, settings)
            self._remark_on_address(service)
            found += self._not_let_in(service)
            found += self._pinned(settings, versions)
            if not found:
                self._remark_on_values(settings)
                release = unbuilt(settings, versions, target, reference=PLACEHOLDER, platform=PLATFORM)
                rehearse(self._api, release, self._own)
        except Unfinished as error:
            self._remark(f"whether Cloud Run takes this is not known: {error}")
        except Denied as error:
            found.append(Problem(code=32, key="targets.project", message=str(error), hint=_NOT_OURS))
        except Invalid as error:
            hint = "change what these words name in shipper.toml; `shipper plan` asks again"
            found.append(Problem(code=2, key="targets", message=str(error), hint=hint))
        except NotFound as error:
            hint = "check project and region; is the Cloud Run API enabled in the project?"
            found.append(Problem(code=2, key="targets.project", message=str(error), hint=hint))
        except PlatformError as error:
            found.append(
                Problem(
                    code=33,
                    key="targets.endpoint",
                    message=str(error),
                    hint="is there a way to it from here, such as a proxy? curl asks the same",
                )
            )
        return found

    def _somebody_elses(self, service: run_v2.Service | None, settings: Settings) -> Iterator[Problem]:
        owner = owner_of(dict(service.labels)) if service is not None else None
        if owner not in (None, (settings.service.service, settings.service.environment)):
            yield Problem(
                code=2,
                key="targets.service",
                message=f"{self._api.names.service_id} is the Cloud Run service of {' in '.join(owner)}",
                hint='give this one a name of its own: service = "…"',
            )

    def _remark_on_address(self, service: run_v2.Service | None) -> None:
        """No tag has a URL then, and the service none: what serves is proved by its routes."""
        if service is not None and service.default_uri_disabled and not self._own.answers_inside_only:
            self._remark(f"the default URL of {self._api.names.service_id} is disabled: nothing can be asked from here")

    def _not_let_in(self, service: run_v2.Service | None) -> Iterator[Problem]:
        """Whether an identity token can be made, where a release is asked and has to say who asks: by making one."""
        if not self._own.asks_who_is_there:
            return
        audience = (service.uri if service is not None else "") or _NOWHERE
        try:
            retry_transient(lambda: self._identity.headers(audience))
        except Denied as error:
            yield Problem(code=32, key="targets.access", message=str(error), hint=_LET_IN)

    def _pinned(self, settings: Settings, versions: dict[str, str]) -> Iterator[Problem]:
        """Each secret is there and enabled; `versions` gets them. Other schemes are the traits' to refuse."""
        for name, reference in settings.run.secrets.items():
            if not reference.startswith(SCHEME):
                continue
            try:
                versions |= self._secrets.pinned({name: reference})
            except Transient:
                raise
            except PlatformError as error:
                code, hint = (32, "roles/secretmanager.viewer has it") if isinstance(error, Denied) else (2, _SECRET)
                yield Problem.model_validate(
                    {"code": code, "key": f"run.secrets.{name}", "message": str(error), "hint": hint}
                )

    def _remark_on_values(self, settings: Settings) -> None:
        """The smoke test reads values that have no stand-in. Whether there will be one, such as when what was tested
        is promoted, is not known here: no reason to refuse.
        """
        if not settings.smoke.enabled:
            return
        for name, reference in settings.run.secrets.items():
            if not reference.startswith(SCHEME) or name in settings.smoke.secrets:
                continue
            if not may_read_value(self._rest, self._own.project, reference):
                self._remark(
                    f"the smoke test would read the value of {name}, and {ACCESS} is missing: "
                    f"{ACCESS_ROLE} on the secret has it, or give it a stand-in in [smoke.secrets]"
                )

    def _remark(self, text: str) -> None:
        if self._report is not None:
            self._report.remark(text)


_NOWHERE = "https://service.run.app"
"""Whom a token is for that nobody will see: the service is not there yet."""

_LET_IN = 'use a service account\'s key, set impersonate = "<service account>", or access = "public"'
_SECRET = "create it, or enable a version of it: gcloud secrets versions list"  # noqa: S105 - words, no secret
