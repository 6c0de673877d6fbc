"""The mistakes that people make, and word for word what they are told. Golden: change them with care."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config import ConfigProblems, NoConfiguration, find, load, validate
from tests.unit.config.files import told, written

pytestmark = pytest.mark.unit

SERVICE = 'service = "iris"\n'

MISTAKES = {
    "a misspelt key": (
        "[run]\nprot = 8000\n",
        'shipper.toml:3:1 run.prot: unknown key\n  did you mean "port"?',
    ),
    "a misspelt table": (
        "[smok]\nenabled = true\n",
        'shipper.toml:2:2 smok: unknown key\n  did you mean "smoke"?',
    ),
    "a key outside of its table": (
        "port = 8000\n",
        "shipper.toml:2:1 port: unknown key\n  move it to [run]",
    ),
    "a number in quotes": (
        '[run]\nport = "8080"\n',
        (
            'shipper.toml:3:1 run.port: found "8080" (text), expected a whole number from 1 to 65535\n'
            "  write port = 8080, without the quotes"
        ),
    ),
    "true instead of a number": (
        "[run]\nport = true\n",
        "shipper.toml:3:1 run.port: found true, expected a whole number from 1 to 65535",
    ),
    "a port that does not exist": (
        "[run]\nport = 80800\n",
        "shipper.toml:3:1 run.port: found 80800 (a whole number), expected a whole number from 1 to 65535",
    ),
    "a number instead of true": (
        "[run]\nread_only = 1\n",
        (
            "shipper.toml:3:1 run.read_only: found 1 (a whole number), expected true or false\n"
            "  write read_only = true, without quotes"
        ),
    ),
    "a unit in lower case": (
        '[run]\nmemory = "512mb"\n',
        (
            'shipper.toml:3:1 run.memory: found "512mb" (text), expected a size such as "512MB", "2GiB" or a\n'
            '    number of bytes\n  write memory = "512MB"'
        ),
    ),
    "a unit in words": (
        '[health]\nstartup = "30 seconds"\n',
        (
            'shipper.toml:3:1 health.startup: found "30 seconds" (text), expected a duration such as "500ms",\n'
            '    "10s", "2m" or a number of seconds\n  write startup = "30s"'
        ),
    ),
    "a time-out of nothing": (
        "[health]\nstartup = 0\n",
        "shipper.toml:3:1 health.startup: found 0 (a whole number), expected more than 0 and at most 30 d",
    ),
    "a command as one text": (
        '[run]\ncommand = "uvicorn app:app"\n',
        (
            'shipper.toml:3:1 run.command: found "uvicorn app:app" (text), expected a list such as ["a", "b"]\n'
            '  write command = ["uvicorn", "app:app"]'
        ),
    ),
    "a path without its slash": (
        '[health]\npath = "healthz"\n',
        (
            'shipper.toml:3:1 health.path: found "healthz" (text), expected a path that starts with "/",\n'
            '    without spaces\n  write path = "/healthz"'
        ),
    ),
    "a repository with a tag": (
        '[image]\nrepository = "registry.example.com/iris:latest"\n',
        (
            'shipper.toml:3:1 image.repository: found "registry.example.com/iris:latest" (text), expected\n'
            "    registry, path and name without a tag or scheme, in lower case\n"
            '  write repository = "registry.example.com/iris"'
        ),
    ),
    "a value that is not on the list": (
        '[scan]\nfail_on = "hihg"\n',
        (
            'shipper.toml:3:1 scan.fail_on: found "hihg" (text), expected one of "low", "medium", "high",\n'
            '    "critical"\n  write fail_on = "high"'
        ),
    ),
    "the secret itself instead of a reference": (
        '[run.secrets]\nAPI_TOKEN = "hunter2"\n',
        (
            'shipper.toml:3:1 run.secrets.API_TOKEN: found text (not shown), expected a reference: "env:NAME",\n'
            '    "file:PATH", "secret-manager:NAME@VERSION" or "kubernetes:SECRET/KEY"\n'
            '  write "env:NAME" or "file:PATH" and keep the value itself out of this file'
        ),
    ),
    "a number as environment variable": (
        "[run.env]\nWORKERS = 4\n",
        (
            "shipper.toml:3:1 run.env.WORKERS: found a whole number (not shown), expected text without control\n"
            "    characters\n  put the value in quotes"
        ),
    ),
    "an environment variable with a hyphen": (
        '[run.env]\nMY-VAR = "x"\n',
        (
            "shipper.toml:3:1 run.env.MY-VAR: not a valid name; expected a name of letters, digits and\n"
            "    underscores, not starting with a digit\n  rename it"
        ),
    ),
    "a volume without its target": (
        '[[run.volumes]]\nsource = "models"\n',
        (
            "shipper.toml:2:7 run.volumes[0].target: missing; expected an absolute path in the container, such\n"
            '    as "/models"\n  add target = … to [[run.volumes]]'
        ),
    ),
    "health.json that is no table": (
        '[health]\njson = "ok"\n',
        'shipper.toml:3:1 health.json: found "ok" (text), expected a table',
    ),
    "more at least than at most": (
        "[scale]\nmin = 3\nmax = 2\n",
        "shipper.toml:4:1 scale.max: scale.max = 2 is below scale.min = 3\n  write max = 3 or a smaller min",
    ),
    "canary steps that fall": (
        "[rollout]\nsteps = [50, 10]\n",
        (
            "shipper.toml:3:14 rollout.steps[1]: 10 does not rise above 50, the step before it\n"
            "  write rising shares, such as steps = [10, 50]"
        ),
    ),
    "a canary without steps": (
        '[rollout]\nstrategy = "canary"\nsteps = []\n',
        (
            "shipper.toml:4:1 rollout.steps: a canary needs at least one step\n"
            "  write steps = [10, 50], or choose all-at-once"
        ),
    ),
    "more bake time than the deadline allows": (
        '[rollout]\nstrategy = "blue-green"\nbake = "2h"\n',
        (
            "shipper.toml:2:2 rollout.deadline: 2 h 0 min of bake time do not fit into 1 h 0 min\n"
            "  raise deadline, or bake for less time"
        ),
    ),
    "a gate that was misspelt": (
        "[rollout.gate]\nerror = 0.1\n",
        'shipper.toml:3:1 rollout.gate.error: unknown key\n  did you mean "error_rate"?',
    ),
    "a ledger of a kind that does not exist": (
        '[ledger]\nurl = "ftp://host/x"\n',
        (
            'shipper.toml:3:1 ledger.url: "ftp" is no kind of ledger\n'
            '  write "s3://bucket/prefix", "gs://…", "az://…" or "file:///absolute/path"'
        ),
    ),
    "a ledger beside the file": (
        '[ledger]\nurl = "file://ledger"\n',
        "shipper.toml:3:1 ledger.url: a file ledger needs an absolute path\n  write file:///srv/shipper/ledger",
    ),
    "a password in the ledger's URL": (
        '[ledger]\nurl = "s3://key:secret@bucket/x"\n',
        (
            "shipper.toml:3:1 ledger.url: has credentials in it\n"
            "  leave them out; the store's own environment variables are used"
        ),
    ),
    "two golden requests of one name": (
        '[[smoke.requests]]\nname = "a"\n[[smoke.requests]]\nname = "a"\n',
        "shipper.toml:5:1 smoke.requests[1].name: the same name as requests[0]\n  give each request its own name",
    ),
    "two bodies": (
        '[[smoke.requests]]\nname = "a"\njson = {}\nbody = "x"\n',
        "shipper.toml:5:1 smoke.requests[0].body: both json and body are given\n  keep one of them",
    ),
    "a method in lower case": (
        '[[smoke.requests]]\nname = "a"\nmethod = "post"\n',
        (
            'shipper.toml:4:1 smoke.requests[0].method: found "post" (text), expected one of "GET", "HEAD",\n'
            '    "POST", "PUT", "PATCH", "DELETE", "OPTIONS"\n  write method = "POST"'
        ),
    ),
    "PORT against run.port": (
        '[run]\nport = 8000\nenv = { PORT = "9000" }\n',
        "shipper.toml:4:9 run.env.PORT: contradicts run.port = 8000\n  remove it; PORT is set from run.port",
    ),
    "an inline cache": (
        '[image]\ncache_to = ["type=inline"]\n',
        (
            "shipper.toml:3:13 image.cache_to[0]: an inline cache changes the image that was tested\n"
            '  use another cache, such as "type=registry,ref=…"'
        ),
    ),
    "a target without its kind": (
        "[targets.local]\nport = 8080\n",
        (
            "shipper.toml:2:10 targets.local.kind: missing; expected the kind of target\n"
            '  add kind = "docker" to [targets.local]; `shipper targets` lists the kinds'
        ),
    ),
    "a default target that is not there": (
        'target = "locl"\n[targets.local]\nkind = "docker"\n',
        'shipper.toml:2:1 target: there is no target "locl"\n  did you mean "local"?',
    ),
    "a date": (
        "[run.env]\nSINCE = 2026-01-01\n",
        (
            "shipper.toml:3:1 run.env.SINCE: found a date (not shown), expected text, not a date of TOML\n"
            "  write it in quotes"
        ),
    ),
    "a service per environment": (
        '[environments.dev]\nservice = "other"\n',
        "shipper.toml:3:1 environments.dev.service: service is the same in every environment\n  remove it",
    ),
    "text without quotes": (
        "[health]\npath = /healthz\n",
        (
            "shipper.toml:3:8 not valid TOML: invalid value\n"
            "  path = /healthz\n"
            "         ^\n"
            '  write text in quotes, as in name = "value"; the truth values are true and false'
        ),
    ),
    "a key that is there twice": (
        "[run]\nport = 1\nport = 2\n",
        (
            "shipper.toml:4:9 not valid TOML: cannot overwrite a value\n"
            "  port = 2\n"
            "          ^\n"
            "  a key or table is there twice, first on line 3; keep one of them"
        ),
    ),
    "a list that is not closed": (
        '[run]\ncommand = ["a",\n',
        (
            "shipper.toml:3:16 not valid TOML: invalid value\n"
            '  command = ["a",\n'
            "                 ^\n"
            "  close what was opened: a list with ], a table with }, text with its quotes"
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_to_write(mistake: str, tmp_path: Path) -> None:
    text, expected = MISTAKES[mistake]

    assert told(tmp_path, SERVICE + text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "",
            (
                "shipper.toml:1:1 service: missing; expected the service's name\n"
                '  write service = "iris-model" as the first line'
            ),
        ),
        (
            'service = "Iris Model"\n',
            (
                'shipper.toml:1:1 service: found "Iris Model" (text), expected lower-case letters, digits and\n'
                '    hyphens, at most 40, starting with a letter\n  write service = "iris-model"'
            ),
        ),
    ],
)
def test_the_service_needs_a_name(text: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Iris_Model"
    folder.mkdir()
    monkeypatch.chdir(folder)

    assert told(folder, text) == expected


def test_an_environment_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    text = SERVICE + "[environments.production.run]\nport = 80\n"

    assert told(tmp_path, text, "prodution") == (
        'shipper.toml:2:2 environments: there is no environment "prodution"\n  did you mean "production"?'
    )
    assert told(tmp_path, SERVICE, "staging") == (
        'shipper.toml environments: there is no environment "staging"\n'
        "  environments: dev; or add [environments.staging]"
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = SERVICE + '[run]\nport = "1"\nprot = 1\n[scale]\nmin = 2\nmax = 1\n[image]\ncontext = "/"\nstage = 1\n'

    with pytest.raises(ConfigProblems) as refused:
        load(written(tmp_path, text), environment="dev")

    problems = refused.value.problems
    assert [(problem.line, problem.key) for problem in problems] == [
        (3, "run.port"), (4, "run.prot"), (7, "scale.max"), (9, "image.context"), (10, "image.stage"),
    ]  # fmt: skip
    assert refused.value.exit_code == 2
    assert "5 problems in" in refused.value.message
    assert refused.value.hint == "correct the configuration, then check it with `shipper config check`"


def test_a_wrong_value_is_not_also_called_a_contradiction(tmp_path: Path) -> None:
    text = SERVICE + '[scale]\nmin = 3\nmax = "4"\n[run]\nport = "80"\nenv = { PORT = "80" }\n'

    assert [problem.key for problem in validate(written(tmp_path, text))] == ["scale.max", "run.port"]


def test_a_problem_of_one_environment_is_told_for_that_environment(tmp_path: Path) -> None:
    text = SERVICE + "[environments.production.run]\nport = 0\n[environments.staging.run]\nprot = 1\n"

    assert told(tmp_path, text, "dev") == ""
    assert told(tmp_path, text, "production").startswith("shipper.toml:3:1 run.port: found 0")
    assert [problem.line for problem in validate(tmp_path / "shipper.toml")] == [3, 5]


def test_the_same_in_pyproject_toml(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n\n[tool.shipper]\nservice = "iris"\n[tool.shipper.run]\nport = "1"\n'

    assert told(tmp_path, text, name="pyproject.toml") == (
        'pyproject.toml:7:1 run.port: found "1" (text), expected a whole number from 1 to 65535\n'
        "  write port = 1, without the quotes"
    )


def test_no_configuration_says_what_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "Iris Model"
    folder.mkdir()

    with pytest.raises(NoConfiguration) as refused:
        find(folder)

    assert "no shipper.toml in " in refused.value.message
    assert refused.value.hint == 'write shipper.toml with the line: service = "iris-model"'
