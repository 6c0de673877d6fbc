"""Run the front until it is ended: `python -m tests.rig.google.artifacts --state FOLDER` (root: ports 443 and 80).

The registry behind has to run already (part.py starts it). Keys, repositories and certificates are in FOLDER.
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from tests.rig.google.artifacts import names
from tests.rig.google.artifacts.backend import Backend
from tests.rig.google.artifacts.certificates import prepare
from tests.rig.google.artifacts.control import ControlPlane
from tests.rig.google.artifacts.docker_api import DockerApi
from tests.rig.google.artifacts.front import Handler, tls_server
from tests.rig.google.artifacts.images import Images
from tests.rig.google.artifacts.store import Store
from tests.rig.google.http import HttpAnswer, HttpRequest
from tests.rig.google.identity import Identity
from tests.rig.google.identity_server import Server, handler


def main() -> None:
    """Serve TLS on 443, identity and the metadata server on 80."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    folder: Path = parser.parse_args().state
    version = names.version()
    certificate, key = prepare(folder / "tls", names.HOSTS)
    identity = Identity(folder / "identity")
    store = Store(folder / "repositories.json")
    docker = DockerApi(store, identity, Backend(names.REGISTRY))
    control = ControlPlane(store, identity, Images(store, docker.forget))
    serving = type("Serving", (Handler,), {"docker": docker, "control": control, "identity": identity})

    def plain(request: HttpRequest) -> HttpAnswer | None:
        if request.path == names.VERSION_PATH:
            return HttpAnswer(200, version.encode(), {})
        return identity.answer(request)

    secure = tls_server((names.ADDRESS, 443), serving, certificate, key)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    Server((names.ADDRESS, 80), handler(plain)).serve_forever()


if __name__ == "__main__":
    main()
