"""size: the image against its budget."""

from __future__ import annotations

from shipper.model import Finding, Image, ImageSettings, Size
from shipper.model.context import Reporter
from shipper.model.quantities import show_size


def size(image: Image, settings: ImageSettings, report: Reporter) -> Size:
    """Evidence about the image: uncompressed bytes of its layers against `image.max_size`."""
    limit = settings.max_size
    if limit is None or image.size <= limit:
        budget = f" of {show_size(limit)}" if limit else ""
        return Size(
            subject=image.config_digest,
            status="passed",
            reason=f"{show_size(image.size)}{budget}",
            size=image.size,
            limit=limit,
        )
    reason = f"the image has {show_size(image.size)}, more than image.max_size ({show_size(limit)})"
    finding = Finding(id="too-large", title=reason, severity="high", kind="size", fix="see `docker history`")
    found = Size(
        subject=image.config_digest,
        status="failed",
        reason=reason,
        findings=(finding,),
        size=image.size,
        limit=limit,
    )
    report.evidence(found)
    return found
