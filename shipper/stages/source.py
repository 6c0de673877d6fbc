"""source: the build context as BuildKit will see it, the commit, and the limit on its size."""

from __future__ import annotations

from shipper.errors import PolicyError
from shipper.model import ImageSettings, ServiceSettings, Source
from shipper.model.context import Reporter
from shipper.model.quantities import show_size


def source(service: ServiceSettings, image: ImageSettings, report: Reporter) -> Source:
    """What will be built. Raises PolicyError (16) when the context is larger than `image.max_context`."""
    from shipper.images.context import describe

    report.progress("reading the build context")
    found = describe(service, image)
    if found.size > image.max_context:
        raise PolicyError(
            f"the build context has {show_size(found.size)}, more than image.max_context "
            f"({show_size(image.max_context)})",
            hint="leave data and models out with .dockerignore, or raise image.max_context",
            details=[f"{show_size(large.size):>10}  {large.path}" for large in found.largest],
        )
    if found.dirty:
        report.remark("the build context has uncommitted changes: the commit alone does not describe this release")
    return found
