"""Pulling with the kubelet's back-off: ErrImagePull, then ImagePullBackOff (pkg/kubelet/images/image_manager.go)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.rig.kubernetes.nodes.apiserver import Object
from tests.rig.kubernetes.pods import references
from tests.rig.kubernetes.pods.backoff import BackOff
from tests.rig.kubernetes.pods.runtime import Image, Runtime, Trouble

SYNC = 10.0
"""Seconds until a kubelet looks at a pod again that it could not start (10 to 15 s)."""

_BETWEEN = 1.0  # seconds from ErrImagePull to ImagePullBackOff


class Puller:
    """`attempts` yields the image, or what to wait for; the caller waits `pause` seconds after each trouble."""

    def __init__(
        self,
        runtime: Runtime,
        container: Object,
        event: Callable[[str, str, str], None],
        factor: Callable[[], float],
    ) -> None:
        self._runtime, self._container, self._event = runtime, container, event
        self._factor = factor
        self._backoff = BackOff(factor)
        self.pause = 0.0

    def attempts(self) -> Iterator[Image | Trouble]:
        reference = self._container["image"]
        while True:
            try:
                yield self._pull(reference)
                return
            except Trouble as trouble:
                failed = trouble
            if failed.reason != "ErrImagePull":  # an invalid name, or never to be pulled: said again at every look
                self._event("Warning", failed.event, failed.message)
                self._event("Warning", "Failed", f"Error: {failed.reason}")
                self.pause = SYNC * self._factor()
                yield failed
                continue
            self._event("Warning", "Failed", f'Failed to pull image "{reference}": {failed.message}')
            self._event("Warning", "Failed", "Error: ErrImagePull")
            self.pause = _BETWEEN * min(1.0, self._factor())
            yield failed
            self._backoff.failed()
            said = f'Back-off pulling image "{reference}"'
            self._event("Normal", "BackOff", said)
            self._event("Warning", "Failed", "Error: ImagePullBackOff")
            self.pause = self._backoff.seconds * self._factor()
            yield Trouble("ImagePullBackOff", f"{said}: ErrImagePull: {failed.message}")

    def _pull(self, reference: str) -> Image:
        policy = self._container.get("imagePullPolicy") or references.parse(reference).policy
        began = time.monotonic()
        pulled: list[str] = []

        def pulling() -> None:
            pulled.append(reference)
            self._event("Normal", "Pulling", f'Pulling image "{reference}"')

        image = self._runtime.pull(reference, policy, pulling)
        if not pulled:
            self._event("Normal", "Pulled", f'Container image "{reference}" already present on machine')
            return image
        took = f"{round((time.monotonic() - began) * 1000)}ms"
        said = f'Successfully pulled image "{reference}" in {took} ({took} including waiting).'
        self._event("Normal", "Pulled", f"{said} Image size: {image.size} bytes.")
        return image
