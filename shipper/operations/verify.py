"""verify: whether what serves answers as it must, and how well that is proved."""

from __future__ import annotations

from shipper.model import Verdict
from shipper.model.shown import Verified
from shipper.operations.ledgers import ledger_of
from shipper.operations.serving import look, prove
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.remarks import Remarks

NOTHING = Verdict(ok=False, proof="none", reason="nothing serves")


def verify(where: Where) -> Verified:
    """Asks; never writes. Raises CredentialsError (32), UnreachableError (33)."""
    workspace = open_place(where)
    target = workspace.connect()
    serving = look(target, ledger_of(workspace), Remarks())
    address = serving.observation.address
    return Verified(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        serves=serving.name,
        revision=serving.main.name if serving.main is not None else "",
        address=address.url if address is not None else "",
        verdict=prove(target, serving, workspace.settings, RunCancellation()) or NOTHING,
    )
