"""admit: an image that exists already takes the place of a build. Everything after the build is asked of it as well."""

from __future__ import annotations

from shipper.images.protocol import AdmitsImages
from shipper.model import Admission, Image, Readiness, ServiceSettings
from shipper.model.context import Cancellation, Reporter


def admit(
    admission: Admission,
    readiness: Readiness,
    service: ServiceSettings,
    engine: AdmitsImages,
    report: Reporter,
    cancel: Cancellation,
) -> Image:
    """The image, on the engine. Raises UsageError (2) when there is none, or when it is for another platform."""
    report.progress(f"looking for {admission.reference}")
    image = engine.admit(admission.reference, service.service, readiness.platform, report, cancel)
    report.remark(f"no build: the Dockerfile and the sources of {admission.reference} were not checked")
    return image
