"""How the registry's side refuses: the OCI distribution specification's error bodies, with Artifact Registry's words.

Where the words are from:
* DENIED, authenticated: https://cloud.google.com/artifact-registry/docs/docker/troubleshoot
* DENIED, anonymous, at the token endpoint already: GoogleCloudPlatform/aactl#233, argoproj/argo-cd#26260
* NAME_UNKNOWN: GoogleCloudPlatform/developer-journey-app#117
* NAME_INVALID: docker/build-push-action#171
* MANIFEST_INVALID for immutable tags: the troubleshooting page above
* MANIFEST_UNKNOWN: as Container Registry said it
Not verified: the status 400 of an immutable tag, the words for a wrong token, and which step says NAME_UNKNOWN first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass
class RegistryError(Exception):
    """A refusal."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode() + b"\n"


def denied(permission: str, resource: str) -> RegistryError:
    words = f'Permission "{permission}" denied on resource "{resource}" (or it may not exist)'
    return RegistryError(403, "DENIED", words)


def anonymous(permission: str, resource: str) -> RegistryError:
    words = (
        "Unauthenticated request. Unauthenticated requests do not have permission "
        f'"{permission}" on resource "{resource}" (or it may not exist)'
    )
    return RegistryError(403, "DENIED", words)


def unauthorized(host: str, scope: str = "") -> RegistryError:
    """The challenge, as seen in docker/setup-buildx-action#79."""
    challenge = f'Bearer realm="https://{host}/v2/token",service="{host}"' + (f',scope="{scope}"' if scope else "")
    return RegistryError(401, "UNAUTHORIZED", "failed authentication", {"WWW-Authenticate": challenge})


def name_unknown(repository: str) -> RegistryError:
    return RegistryError(404, "NAME_UNKNOWN", f'Repository "{repository}" not found')


def manifest_unknown(reference: str, path: str) -> RegistryError:
    words = f'Failed to fetch "{reference}" from request "{path}".'
    return RegistryError(404, "MANIFEST_UNKNOWN", words)


def name_invalid() -> RegistryError:
    form = "docker push HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE"
    return RegistryError(400, "NAME_INVALID", f"Missing image name. Pushes should be of the form {form}")


def immutable(tag: str) -> RegistryError:
    words = f"cannot update tag {tag}. The repository has enabled tag immutability"
    return RegistryError(400, "MANIFEST_INVALID", words)
