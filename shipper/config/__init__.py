"""shipper.toml -> validated, frozen Settings; every mistake at once, with its line and what to write instead."""

from shipper.config.choose import check_target_settings, choose_target
from shipper.config.find import NoConfiguration, find
from shipper.config.load import environments, load, service_in, validate
from shipper.config.problem import ConfigProblem, ConfigProblems
from shipper.config.reference import reference_markdown
from shipper.config.schema import json_schema
from shipper.config.secrets import ResolvedSecrets
from shipper.config.show import show
from shipper.config.written import Written

__all__ = [
    "ConfigProblem", "ConfigProblems", "NoConfiguration", "ResolvedSecrets", "Written",
    "check_target_settings", "choose_target", "environments", "find", "json_schema", "load",
    "reference_markdown", "service_in", "show", "validate",
]  # fmt: skip
