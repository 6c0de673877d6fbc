"""The addresses and names of the rig's Artifact Registry. Standard library only."""

from __future__ import annotations

from pathlib import Path

from tests.rig.google import sources

ADDRESS = "127.44.3.1"
"""Of its own, so that port 443 collides with nothing."""

LOCATIONS = ("us-central1", "europe-west1")
HOSTS = (
    *(f"{location}-docker.pkg.dev" for location in LOCATIONS),
    "artifactregistry.googleapis.com",
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
)
"""The last three because google-auth asks there whatever a credentials file says: oauth2 for the tokens of gcloud's
users, iamcredentials in the background for the locations that an account is allowed in."""

REGISTRY = f"{ADDRESS}:5000"
BASE_URL = f"http://{ADDRESS}"
"""Identity services without TLS; also the metadata server."""

VERSION_PATH = "/rig/version"


def version() -> str:
    """Of the code that a process runs: a front that was started from older sources is replaced."""
    google = Path(__file__).parents[1]
    shared = [google / "http.py", google / "unauthenticated.py", google / "cloudrun" / "errors.py"]
    return sources.digest([*shared, *google.glob("identity*.py"), *google.glob("artifacts/*.py")])
