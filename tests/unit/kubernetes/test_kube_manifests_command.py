"""Own manifests from a command: its output is read, its failure told in its own words, its environment small."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import ConfigError
from shipper.processes import ProgramMissing
from shipper.targets import TargetContext
from shipper_targets.kubernetes.api import Listed
from shipper_targets.kubernetes.kinds import Kind
from shipper_targets.kubernetes.own_problems import told
from shipper_targets.kubernetes.reading import Reading
from shipper_targets.kubernetes.rolling import RollingTarget
from shipper_targets.kubernetes.source import Source
from tests.unit.kubernetes.kube_found import record
from tests.unit.kubernetes.kube_rendering import own, settings_of

pytestmark = pytest.mark.unit

OBJECT = "apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: made\\n  annotations:\\n    from: %s\\n"


def source(program: str, root: Path, **settings: Any) -> Source:
    """Of a command that runs this Python program."""
    return Source(own(manifests_command=[sys.executable, "-c", program], **settings), root)


def test_what_it_writes_is_what_is_applied(tmp_path: Path) -> None:
    program = f"import os; print('{OBJECT}' % os.getcwd(), end='')"
    (found,) = source(program, tmp_path).objects
    assert found.value["metadata"]["annotations"]["from"] == str(tmp_path.resolve())
    assert found.origin == f"the output of {sys.executable} -c"


def test_it_runs_once_for_whatever_is_asked(tmp_path: Path) -> None:
    program = f"open('runs', 'a').write('x'); print('{OBJECT}' % 'here', end='')"
    made = source(program, tmp_path)
    assert made.content == made.content
    assert len(made.objects) == 1
    assert (tmp_path / "runs").read_text() == "x"


def test_it_gets_the_variables_that_are_named_and_no_secret_by_accident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERLAY", "prod")
    monkeypatch.setenv("SHOP_TOKEN", "hidden")
    seen = "', '.join(str(os.environ.get(name)) for name in ('OVERLAY', 'SHOP_TOKEN'))"
    program = f"import os; print('{OBJECT}' % {seen}, end='')"
    (found,) = source(program, tmp_path, manifests_env=["OVERLAY"]).objects
    assert found.value["metadata"]["annotations"]["from"] == "prod, None"


def test_a_failure_is_told_with_program_status_and_its_own_words_in_one_line(tmp_path: Path) -> None:
    program = "import sys; sys.exit(chr(10).join(['no overlay prod', chr(27) + '[31mWARN', 'x' * 5000, 'the reason']))"
    with pytest.raises(ConfigError) as caught:
        _ = source(program, tmp_path).objects
    assert caught.value.exit_code == 2
    assert caught.value.message == f"manifests_command failed: {sys.executable} -c ended with status 1"
    (said,) = caught.value.details
    assert said.startswith("no overlay prod")
    assert said.endswith("the reason")
    assert len(said) < 1000
    assert said.isprintable()
    assert "manifests_env" in caught.value.hint
    (problem,) = told(caught.value)
    assert problem == f"{caught.value.message}: {said}"


def test_a_failure_without_a_word_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _ = source("import sys; sys.exit(7)", tmp_path).objects
    assert told(caught.value) == (f"manifests_command failed: {sys.executable} -c ended with status 7",)


def test_one_that_does_not_end_is_stopped_and_the_setting_is_named(tmp_path: Path) -> None:
    program = "import time; print(*range(100), sep=chr(10), flush=True); time.sleep(60)"
    with pytest.raises(ConfigError) as caught:
        _ = source(program, tmp_path, manifests_timeout="300ms").objects
    assert caught.value.exit_code == 2
    assert "did not end within 0.3 s" in caught.value.message
    assert "manifests_timeout" in caught.value.hint
    assert len(told(caught.value)) == 1


def test_one_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing) as caught:
        _ = Source(own(manifests_command=["no-such-tool-here", "build"]), tmp_path).objects
    assert caught.value.exit_code == 2


def test_output_without_an_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _ = source("print('# nothing')", tmp_path).objects
    assert caught.value.details == ("there is no object in them",)


def test_output_without_end_is_refused(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.writelines('# ' + 'x' * 30 + chr(10) for _ in range(500_000))"
    with pytest.raises(ConfigError, match="has more than 8 MiB"):
        _ = source(program, tmp_path).objects


def test_a_program_that_is_not_here_is_no_reason_not_to_look(tmp_path: Path) -> None:
    for command in (["no-such-tool-here", "build"], [sys.executable, "-c", "import time; time.sleep(60)"]):
        settings = settings_of()
        settings = settings.model_copy(
            update={"service": settings.service.model_copy(update={"root": str(tmp_path)})},
        )
        target = own(manifests_command=command, manifests_timeout="200ms")
        context = TargetContext(name="kube", settings=settings, own={}, secrets=None)  # type: ignore[arg-type]
        assert RollingTarget(context, target)._own_workload() is None


class Deleted:
    """A namespace whose Deployment somebody has deleted; its records are there."""

    namespace = "shops"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def list(self, *_: Any, **__: Any) -> Listed:
        return Listed((), "1")

    def list_metadata(self, *_: Any, **__: Any) -> Listed:
        records = (record(1, "old"), record(2, "web"))
        return Listed(tuple(dict(one._secret) for one in records), "1")

    def find(self, kind: Kind, name: str, *_: Any) -> None:
        self.asked.append(f"{kind} {name}")


def test_the_newest_record_says_which_deployment_it_was_and_nothing_is_rendered() -> None:
    def rendered() -> str:
        raise AssertionError("the command was run")

    api = Deleted()
    Reading(api, settings_of(), own(manifests_command=["helm"]), "rolling", rendered).now()  # type: ignore[arg-type]
    assert "Deployment web" in api.asked
