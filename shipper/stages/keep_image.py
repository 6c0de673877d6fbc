"""keep_image: the image of what serves, for a release that changes its configuration alone."""

from __future__ import annotations

from shipper.errors import PlatformError, UsageError
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Readiness, Settings
from shipper.model.context import Reporter
from shipper.pipeline.remarks import Remarks
from shipper.rollout.refused import not_written
from shipper.targets import Target
