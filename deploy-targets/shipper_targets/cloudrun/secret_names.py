"""Names in Secret Manager: references of the configuration, and versions of a release. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shipper.targets import Invalid

SCHEME = "secret-manager:"


@dataclass(frozen=True)
class Reference:
    """What `secret-manager:[projects/P/secrets/]NAME[@VERSION]` means, or a release's version of it."""

    project: str
    secret: str
    version: str

    @property
    def name(self) -> str:
        """The version's resource name; "latest" is one that Secret Manager knows."""
        return f"projects/{self.project}/secrets/{self.secret}/versions/{self.version}"


def parse_reference(text: str, project: str) -> Reference:
    """`project` is the one of a reference without any; a version, `projects/P/secrets/S/versions/7`, means itself.

    Raises Invalid when it is no reference to Secret Manager.
    """
    if text.startswith("projects/"):
        secret, number = parse_version(text)
        return Reference(secret.split("/")[1], secret.rpartition("/")[2], number)
    path, _, version = text.removeprefix(SCHEME).partition("@")
    parts = path.split("/")
    if not text.startswith(SCHEME) or len(parts) not in (1, 4) or not parts[-1]:
        raise Invalid(f'"{text}" is no reference to Secret Manager: write secret-manager:NAME@VERSION')
    return Reference(parts[1] if len(parts) == 4 else project, parts[-1], version or "latest")


def parse_version(name: str) -> tuple[str, str]:
    """`projects/P/secrets/S/versions/7` -> (`projects/P/secrets/S`, `7`). Raises Invalid for anything else."""
    parts = name.split("/")
    if len(parts) != 6 or parts[::2] != ["projects", "secrets", "versions"]:
        raise Invalid(f'"{name}" is no version of a secret in Secret Manager: release again from the configuration')
    return "/".join(parts[:4]), parts[5]
