"""Child processes: own session, killed as a group, environment allow-list."""

from shipper.processes.client import client_call
from shipper.processes.environment import child_environment, helper_environment
from shipper.processes.errors import ClientFailed, ProgramMissing, TimedOut
from shipper.processes.group import kill_all
from shipper.processes.runner import Finished, OnLine, run

__all__ = [
    "ClientFailed",
    "Finished",
    "OnLine",
    "ProgramMissing",
    "TimedOut",
    "child_environment",
    "client_call",
    "helper_environment",
    "kill_all",
    "run",
]
