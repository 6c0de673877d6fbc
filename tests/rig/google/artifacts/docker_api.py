"""`<location>-docker.pkg.dev`: who may do what in front of a real registry.

The token endpoint is `/v2/token` of the host itself; users are `oauth2accesstoken` (an access token),
`_json_key` and `_json_key_base64` (a service account key):
https://cloud.google.com/artifact-registry/docs/docker/authentication. It refuses already what the token would be
refused for (see errors.py). Permissions: https://cloud.google.com/artifact-registry/docs/access-control#permissions.
Not verified: the token that it gives is the access token itself and lives as long.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from tests.rig.google.artifacts import errors
from tests.rig.google.artifacts.backend import Backend, Streaming, body_of
from tests.rig.google.artifacts.images import is_immutable
from tests.rig.google.artifacts.store import Store, Version
from tests.rig.google.identity import Identity

HOST = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev")
_PATH = re.compile(r"/v2/(.+)/(manifests|blobs|tags)/(.+)")
_SCOPE = re.compile(r"repository:(.+):([a-z,*]+)")
_READ = "artifactregistry.repositories.downloadArtifacts"
_WRITE = "artifactregistry.repositories.uploadArtifacts"
_DELETE = "artifactregistry.repositories.deleteArtifacts"
_MAX_MANIFEST = 4 << 20


@dataclass(frozen=True)
class Place:
    """What a name in a path means."""

    location: str
    project: str
    repository: str
    image: str

    @property
    def name(self) -> str:
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.repository}"

    @property
    def prefix(self) -> str:
        """What stands before the name in the registry behind, where all locations share one."""
        return f"/{self.location}"


class DockerApi:
    """Carries out one request of a handler."""

    def __init__(self, store: Store, identity: Identity, backend: Backend) -> None:
        self._store = store
        self._identity = identity
        self._backend = backend

    def handle(self, handler: Streaming, location: str) -> None:
        """Answer it. Raises errors.RegistryError for whoever writes the refusal."""
        host = handler.headers["Host"].partition(":")[0]
        parts = urlsplit(handler.path)
        if parts.path == "/v2/token":
            return _write_json(handler, self._token(handler, location, parse_qs(parts.query)))
        if parts.path.rstrip("/") == "/v2":
            if not self._principal(handler):
                raise errors.unauthorized(host)
            return _write_json(handler, {})
        found = _PATH.fullmatch(unquote(parts.path))
        if found is None:
            raise errors.name_invalid()
        place = parse(location, found[1])
        self._admit(handler, place, host, found[1])
        if found[2] == "manifests" and handler.command == "PUT":
            return self._put_manifest(handler, place, found[3])
        if found[2] == "manifests" and handler.command == "DELETE":
            raise errors.RegistryError(405, "UNSUPPORTED", "The operation is unsupported.")
        if found[2] == "manifests" and not self._store.holds(place.name, place.image, found[3]):
            raise errors.manifest_unknown(found[3], parts.path)
        path = parts.path.replace("/v2/", f"/v2{place.prefix}/", 1)
        return self._backend.forward(handler, f"{path}{self._query(handler, parts.query, place)}", place.prefix)

    def forget(self, name: str, image: str, digest: str) -> None:
        """Delete a manifest behind the front."""
        _, project, _, location, _, repository = name.split("/")
        path = f"/v2/{location}/{project.replace(':', '/')}/{repository}/{image}/manifests/{digest}"
        status, _, said = self._backend.ask("DELETE", path, {}, b"")
        if status not in (202, 404):
            raise errors.RegistryError(500, "UNKNOWN", f"the registry behind answered {status}: {said[:200]!r}")

    def _token(self, handler: Streaming, location: str, query: dict[str, list[str]]) -> dict[str, object]:
        given = handler.headers.get("Authorization", "")
        principal = self._principal(handler)
        if given and not principal:
            raise errors.unauthorized(handler.headers["Host"].partition(":")[0])
        for scope in query.get("scope", []):
            wanted = _SCOPE.fullmatch(scope)
            if wanted:
                place = parse(location, wanted[1])
                needed = [_WRITE] if {"push", "*"} & set(wanted[2].split(",")) else []
                for permission in (_READ, *needed):
                    self._require(principal, permission, place)
        token = self._identity.access_token(principal or "")
        if principal and (shown := _basic(given)) and shown[0] == "oauth2accesstoken":
            token = shown[1]
        seconds = int(self._identity.tokens.remaining(token)) if token.startswith("ya29.") else 3599
        return {"token": token, "expires_in": seconds, "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}

    def _admit(self, handler: Streaming, place: Place, host: str, name: str) -> None:
        principal = self._principal(handler)
        writes = handler.command not in ("GET", "HEAD")
        if not principal:
            raise errors.unauthorized(host, f"repository:{name}:{'pull,push' if writes else 'pull'}")
        permission = _DELETE if handler.command == "DELETE" else _WRITE if writes else _READ
        self._require(principal, permission, place)
        if self._store.find(place.name) is None:
            raise errors.name_unknown(place.repository)

    def _require(self, principal: str | None, permission: str, place: Place) -> None:
        if not principal:
            raise errors.anonymous(permission, place.name)
        if not self._identity.allowed(principal, permission, place.project):
            raise errors.denied(permission, place.name)

    def _principal(self, handler: Streaming) -> str | None:
        given = handler.headers.get("Authorization", "")
        scheme, _, value = given.partition(" ")
        if scheme.lower() == "bearer":
            return self._identity.principal(value.strip())
        shown = _basic(given)
        if shown is None:
            return None
        user, password = shown
        if user == "oauth2accesstoken":
            return self._identity.principal(password)
        return self._owner_of_key(user, password)

    def _owner_of_key(self, user: str, password: str) -> str | None:
        if user not in ("_json_key", "_json_key_base64"):
            return None
        try:
            key = json.loads(base64.b64decode(password) if user == "_json_key_base64" else password)
            account, kid = str(key["client_email"]), str(key["private_key_id"])
            public = _public_half(str(key["private_key"]))
        except (ValueError, KeyError, TypeError):
            return None
        return account if self._identity.state.public_keys(account).get(kid) == public else None

    def _query(self, handler: Streaming, query: str, place: Place) -> str:
        """A blob can be mounted from where one may read; otherwise it is uploaded, as the specification has it."""
        given = parse_qs(query)
        if "from" in given:
            source = parse(place.location, given["from"][0])
            readable = self._identity.allowed(self._principal(handler) or "", _READ, source.project)
            if readable and self._store.find(source.name):
                given["from"] = [f"{place.location}/{given['from'][0]}"]
            else:
                given = {name: values for name, values in given.items() if name not in ("from", "mount")}
        return f"?{urlencode(given, doseq=True, quote_via=quote)}" if given else ""

    def _put_manifest(self, handler: Streaming, place: Place, reference: str) -> None:
        body = b"".join(body_of(handler))
        if len(body) > _MAX_MANIFEST:
            raise errors.RegistryError(413, "MANIFEST_INVALID", "manifest too large")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        tag = None if reference.startswith("sha256:") else reference
        with self._store.lock:  # nobody moves the tag between the look and the write
            kept = self._store.get(place.name)
            held = self._store.tagged(place.name, place.image, tag) if tag else None
            if held not in (None, digest) and is_immutable(kept):
                raise errors.immutable(reference)
            path = f"/v2{place.prefix}{handler.path.removeprefix('/v2')}"
            headers = {name.lower(): value for name, value in handler.headers.items()}
            status, said, content = self._backend.ask("PUT", path, headers, body)
            if status == 201:
                now = time.time()
                size = _size(body)
                version = Version(digest, headers.get("content-type", ""), size, now, now)
                self._store.record(place.name, place.image, version, tag)
        _write(handler, status, content, {name: said[name] for name in ("docker-content-digest",) if name in said})


def parse(location: str, name: str) -> Place:
    """`project/repository/image…`; a domain-scoped project is two parts, `example.com/project`."""
    parts = name.split("/")
    if "." in parts[0] and len(parts) > 1:
        parts = [f"{parts[0]}:{parts[1]}", *parts[2:]]
    if len(parts) < 3:
        raise errors.name_invalid()
    return Place(location, parts[0], parts[1], "/".join(parts[2:]))


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def _public_half(private_pem: str) -> str:
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(private_pem.encode(), None)
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _size(manifest: bytes) -> int:
    """Bytes of an image: its config and layers, as the manifest says."""
    parsed = json.loads(manifest)
    parts = [parsed.get("config") or {}, *(parsed.get("layers") or [])]
    return sum(int(part.get("size", 0)) for part in parts)


def _write_json(handler: Streaming, value: object) -> None:
    _write(handler, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _write(handler: Streaming, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Docker-Distribution-Api-Version": "registry/2.0"}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
