"""`python -m tests.rig up|status|down|env`: the machine set-up of the tests, in one command."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from tests.rig import api, parts
from tests.rig.machine import alone, survey
from tests.rig.shell import RigError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit code: 1 when a part is missing or cannot be had."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.verb(options))
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return 1


def _up(options: argparse.Namespace) -> int:
    try:
        rig = api.ensure(options.part or api.ALL, tell=lambda outcome: print(outcome.line(), flush=True))
    except api.Incomplete:
        print("rig: not every part is there; the lines above say why", file=sys.stderr)
        return 1
    for sentence in (*rig.stand_ins, *([] if options.part else [rig.google.stand_in])):
        print(f"note: {sentence}")
    return 0


def _status(options: argparse.Namespace) -> int:
    outcomes = parts.look_at(survey(), parts.select(options.part or api.ALL))
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        print("\n".join(outcome.line() for outcome in outcomes))
    return 0 if all(outcome.state == "found" for outcome in outcomes) else 1


def _down(options: argparse.Namespace) -> int:
    machine = survey()
    with alone(machine.state):
        for line in parts.stop_all(machine):
            print(line)
        if options.purge:
            _empty(machine.state)
            print(f"{'state':<14}removed: {machine.state} (installed packages stay)")
    return 0


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _env(options: argparse.Namespace) -> int:
    rig = api.describe(survey())
    google = rig.google.env if options.google else {}
    kubernetes = {"KUBECONFIG": str(rig.kubeconfig)} if options.kubernetes else {}
    for key, value in {**(rig.env() if options.fixture else rig.demo_env()), **google, **kubernetes}.items():
        print(f"export {key}={shlex.quote(value)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    up = verbs.add_parser("up", help="find or make every part")
    status = verbs.add_parser("status", help="say which parts are there; exit 1 when one is missing")
    down = verbs.add_parser("down", help="stop what the rig started")
    env = verbs.add_parser("env", help="print the environment for the shipper command")
    for verb, work in ((up, _up), (status, _status), (down, _down), (env, _env)):
        verb.set_defaults(verb=work)
    for verb in (up, status):
        verb.add_argument("part", nargs="*", metavar="PART", help=f"one of: {', '.join(api.ALL)}")
    status.add_argument("--json", action="store_true", help="for programs")
    env.add_argument("--google", action="store_true", help="also what makes a process trust Artifact Registry's names")
    env.add_argument("--kubernetes", action="store_true", help="also KUBECONFIG, for the rig's cluster")
    env.add_argument("--fixture", action="store_true", help="the generated database even where a real one is there")
    down.add_argument("--purge", action="store_true", help="also remove all that it keeps, its images included")
    return parser


if __name__ == "__main__":
    sys.exit(main())
