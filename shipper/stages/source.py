"""source: the build context as BuildKit will see it, the commit, and the limit on its size."""

from __future__ import annotations

from shipper.model import ImageSettings, ServiceSettings, Source
from shipper.model.context import Cancellation, Reporter


def source(service: ServiceSettings, image: ImageSettings, report: Reporter, cancel: Cancellation) -> Source:
    """What will be built. Raises PolicyError (16) when the context is larger than `image.max_context`."""
    from shipper.images.context import describe

    report.progress("reading the build context")
    found = describe(service, image, report, cancel)
    if found.dirty:
        report.remark("the build context has uncommitted changes: the commit alone does not describe this release")
    return found
