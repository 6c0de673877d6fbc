"""The suite's service, whose answers also name their revision: Cloud Run gives it as K_REVISION.

Runs in the image, beside service.py. Routes reach Google's front ends seconds after the API says that they are there;
the name tells an answer that is late from one that is wrong.
"""

from __future__ import annotations

import os
import sys

import service  # type: ignore[import-not-found]


class Named(service.Handler):  # type: ignore[misc]
    """Adds the header to every answer."""

    def end_headers(self) -> None:
        """See BaseHTTPRequestHandler."""
        self.send_header("X-Shipper-Revision", os.environ.get("K_REVISION", ""))
        super().end_headers()


if __name__ == "__main__":
    service.Handler = Named
    sys.exit(service.main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
