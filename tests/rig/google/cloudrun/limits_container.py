"""One container of a template. "descr." is the description of the field in google.cloud.run_v2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.cloud import run_v2

from tests.rig.google.cloudrun.limits_probes import probe_violations
from tests.rig.google.cloudrun.limits_resources import resource_violations

# hashicorp/terraform-provider-google#14700 and datawranglerai/self-host-n8n-on-gcr#31 quote the message.
_HOST = re.compile(
    r"^(?:[a-z0-9-]+\.)?gcr\.io$|^[a-z0-9-]+-docker\.pkg\.dev$|^docker\.pkg\.dev$|^(?:index\.)?docker\.io$"
)
_PATH = re.compile(
    r"^[a-z0-9]+(?:[._:-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?$"
)
_EXPECTED = (
    "Expected an image path like [host/]repo-path[:tag and/or @digest], where host is one of [region.]gcr.io, "
    "[region-]docker.pkg.dev or docker.io but obtained {image}. To deploy container images from other public or "
    "private registries, set up an Artifact Registry remote repository. See "
    "https://cloud.google.com/artifact-registry/docs/repositories/remote-repo."
)
# run/docs/container-contract: set by the platform; run/docs/configuring/services/environment-variables: PORT and
# names starting with X_GOOGLE_ are refused.
_RESERVED = {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"}


def container_violations(
    path: str, container: run_v2.Container, template: run_v2.RevisionTemplate
) -> Iterator[tuple[str, str]]:
    yield from _image_violations(path, container.image)
    yield from _env_violations(path, container)
    if len(container.ports) > 1:  # descr. Container.ports: "Only a single port can be specified."
        yield f"{path}.ports", "only one port can be specified"
    for port in container.ports:
        if not 0 < port.container_port < 65536:  # descr. ContainerPort.container_port
            yield f"{path}.ports[0].container_port", f"must be between 1 and 65535, got {port.container_port}"
        if port.name not in ("", "http1", "h2c"):  # descr. ContainerPort.name
            yield f"{path}.ports[0].name", f"must be http1 or h2c, got {port.name}"
    yield from resource_violations(path, container, template)
    for kind in ("startup_probe", "liveness_probe", "readiness_probe"):
        if kind in container:
            yield from probe_violations(f"{path}.{kind}", kind, getattr(container, kind))
    mounted = set()
    for index, mount in enumerate(container.volume_mounts):
        where = f"{path}.volume_mounts[{index}]"
        if mount.name not in {volume.name for volume in template.volumes}:  # descr. VolumeMount.name
            yield f"{where}.name", f"'{mount.name}' is not the name of a volume"
        if not mount.mount_path.startswith("/") or ":" in mount.mount_path:  # descr. VolumeMount.mount_path
            yield f"{where}.mount_path", f"'{mount.mount_path}' must be an absolute path without ':'"
        if mount.mount_path in mounted:
            yield f"{where}.mount_path", f"'{mount.mount_path}' is used more than once"
        mounted.add(mount.mount_path)


def _image_violations(path: str, image: str) -> Iterator[tuple[str, str]]:
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")  # Docker's rule of what is a host
    if not image or (named and not _HOST.match(first)) or not _PATH.match(image):
        yield f"{path}.image", _EXPECTED.format(image=image)


def _env_violations(path: str, container: run_v2.Container) -> Iterator[tuple[str, str]]:
    seen = set()
    if len(container.env) > 1000:  # run/docs/configuring/services/environment-variables: "Maximum number of ... 1000"
        yield f"{path}.env", "at most 1000 environment variables can be set"
    for index, variable in enumerate(container.env):
        where = f"{path}.env[{index}]"
        if not variable.name or "=" in variable.name or len(variable.name) > 32768:  # descr. EnvVar.name
            yield f"{where}.name", f"'{variable.name[:80]}' is not a name of an environment variable"
        elif variable.name in _RESERVED or variable.name.startswith("X_GOOGLE_"):
            yield f"{where}.name", f"The following reserved env names were provided: {variable.name}."
        if variable.name in seen:
            yield f"{where}.name", f"'{variable.name}' is given more than once"
        seen.add(variable.name)
        if len(variable.value.encode()) > 32768:  # descr. EnvVar.value
            yield f"{where}.value", "must be at most 32768 bytes"
        if "value_source" in variable:
            reference = variable.value_source.secret_key_ref
            if not reference.secret or not reference.version:
                yield f"{where}.value_source.secret_key_ref", "secret and version must be set"
