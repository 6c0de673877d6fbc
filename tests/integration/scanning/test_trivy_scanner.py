"""The scanner on a real Trivy: what it finds, what it refuses to believe, and what cannot wave anything through."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shipper.errors import Interrupted, ScannerError
from shipper.model import Image, ImageSettings, ScanPolicy, ServiceSettings, Source
from shipper.scanning.policy import judge
from shipper.scanning.trivy import TrivyScanner
from tests.rig import bolt
from tests.rig.database import ADVISORIES, Advisory, tree
from tests.savedimage import SavedImage, save_image

if TYPE_CHECKING:
    from tests.rig.api import Rig

pytestmark = pytest.mark.integration

DOCKERFILE = "FROM python:3.11-slim\nCOPY . /srv\nUSER 1000\n"
TOKEN = "ghp" + "_" + "".join("A1b2C3d4E5f6G7h8J9k0"[i % 20] for i in range(0, 36 * 7, 7))
STAMP = "%Y-%m-%dT%H:%M:%SZ"


class Calm:
    """A run that nobody cancels, unless told so before it begins."""

    remaining: float | None = None

    def __init__(self, cancelled: bool = False) -> None:
        self.cancelled = cancelled

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("stopped")

    def wait(self, seconds: float) -> bool:
        return self.cancelled

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        if self.cancelled:
            callback()
        yield


def copy_everything(service: ServiceSettings, image: ImageSettings, directory: Path) -> None:
    """The folder as it is, without links: nothing is ignored."""
    shutil.copytree(service.root, directory, ignore=lambda at, names: [n for n in names if (Path(at) / n).is_symlink()])


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Notes and reports of this test alone."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    for name in ("SHIPPER_TRIVY", "SHIPPER_TRIVY_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHIPPER_TRIVY_OFFLINE", "1")
    return home


@pytest.fixture
def cache(trivy_rig: Rig, tmp_path: Path) -> Path:
    """A copy of the rig's database that a test may spoil."""
    shutil.copytree(trivy_rig.trivy_cache / "db", tmp_path / "cache" / "db")
    return tmp_path / "cache"


@pytest.fixture
def make(trivy_rig: Rig, cache: Path) -> Callable[..., TrivyScanner]:
    def making(**changes: Any) -> TrivyScanner:
        given: dict[str, Any] = {"copy_context": copy_everything, "binary": str(trivy_rig.trivy), "cache": cache}
        return TrivyScanner(**(given | changes))

    return making


@pytest.fixture
def scanner(make: Callable[..., TrivyScanner]) -> TrivyScanner:
    return make()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "app.py").write_text("print('hello')\n")
    return folder


def service_of(project: Path) -> ServiceSettings:
    return ServiceSettings(service="shop", root=str(project))


def source() -> Source:
    return Source(commit=None, commit_time=None, dirty=False, context_digest="sha256:" + "1" * 64, files=2, size=100)


def image_of(saved: SavedImage) -> Image:
    return Image(
        config_digest=saved.config_digest,
        source_digest="sha256:" + "1" * 64,
        platform="linux/amd64",
        engine_id=saved.config_digest,
        reference="shop:test",
        diff_ids=saved.diff_ids,
        size=1000,
    )


def scan_source(scanner: TrivyScanner, project: Path) -> Any:
    return scanner.scan_source(service_of(project), ImageSettings(), source(), Calm())


def lint(scanner: TrivyScanner, project: Path, **settings: Any) -> Any:
    return scanner.lint(service_of(project), ImageSettings(**settings), source(), Calm())


def date_database(cache: Path, moment: datetime) -> None:
    metadata = cache / "db" / "metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"UpdatedAt": moment.strftime(STAMP)}))


def refused(scanner: TrivyScanner) -> ScannerError:
    with pytest.raises(ScannerError) as caught:
        scanner.world()
    assert caught.value.exit_code == 13
    assert caught.value.hint
    return caught.value


class TestTheImage:
    def test_a_fixable_critical_finding_is_found_and_refuses(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar", packages={"shipper-fixture-vulnerable": "1.0"})
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        [finding] = [one for one in found.findings if one.kind == "vulnerability"]
        assert (finding.id, finding.where, finding.fix) == ("CVE-2099-0001", "shipper-fixture-vulnerable 1.0", "2.0")
        refusals, _ = judge((found,), ScanPolicy(), "dev")
        assert [refusal.code for refusal in refusals] == [12]
        assert "fixed in 2.0" in refusals[0].reason

    def test_the_fixture_database_is_named_as_what_it_is(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar")
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        assert found.fixture_database
        assert "no clean bill of health" in found.reason
        _, remarks = judge((found,), ScanPolicy(), "dev")
        assert any("no clean bill of health" in remark for remark in remarks)

    def test_a_system_package_is_found(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar", system_packages={"shipper-fixture-debian": "1.0-1"})
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        assert "CVE-2099-0006" in {finding.id for finding in found.findings}

    def test_another_image_than_the_one_that_was_built_is_refused(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar")
        other = image_of(saved).model_copy(update={"config_digest": "sha256:" + "0" * 64})
        with pytest.raises(ScannerError, match="not sha256:0000"):
            scanner.scan_image(other, saved.path, Calm())

    def test_a_secret_in_a_file_is_found_and_repeated_nowhere(
        self, scanner: TrivyScanner, tmp_path: Path, own_cache: Path
    ) -> None:
        command = f"RUN |1 GITHUB_TOKEN={TOKEN} /bin/sh -c make"
        saved = save_image(
            tmp_path / "image.tar",
            files={"opt/settings.ini": f"token = {TOKEN}\n"},
            env=[f"GITHUB_TOKEN={TOKEN}"],
            created_by=command,
        )
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        bill = scanner.sbom(image_of(saved), found, Calm())
        secrets = {finding.where for finding in found.findings if finding.kind == "secret"}
        assert any("opt/settings.ini" in where for where in secrets)
        assert len(secrets) >= 2  # the environment's too
        assert TOKEN not in found.model_dump_json() + bill.model_dump_json()
        for folder in (own_cache, tmp_path / "cache"):
            for path in folder.rglob("*"):
                assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path

    def test_a_secret_that_a_later_layer_deletes_is_found(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(
            tmp_path / "image.tar", files={"opt/settings.ini": f"token = {TOKEN}\n"}, deleted=["opt/settings.ini"]
        )
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        assert "secret" in {finding.kind for finding in found.findings}

    def test_the_bill_of_materials_comes_from_the_kept_report(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar", packages={"numpy": "2.0.0", "fastapi": "0.110.0"})
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        bill = scanner.sbom(image_of(saved), found, Calm())
        written = json.loads(Path(bill.path).read_text())
        assert {"numpy", "fastapi"} <= {component["name"] for component in written["components"]}
        assert bill.components == len(written["components"])
        for kept in (found.report, bill.path):
            assert stat.S_IMODE(Path(kept).stat().st_mode) == 0o600

    def test_a_report_of_another_image_makes_no_bill(self, scanner: TrivyScanner, tmp_path: Path) -> None:
        saved = save_image(tmp_path / "image.tar")
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        other = image_of(saved).model_copy(update={"config_digest": "sha256:" + "0" * 64})
        with pytest.raises(ScannerError):
            scanner.sbom(other, found, Calm())


class TestTheSource:
    def test_vulnerabilities_and_secrets_of_the_context_are_found(self, scanner: TrivyScanner, project: Path) -> None:
        (project / "requirements.txt").write_text("shipper-fixture-vulnerable==1.0\n")
        (project / "settings.ini").write_text(f"token = {TOKEN}\n")
        found = scan_source(scanner, project)
        assert {finding.kind for finding in found.findings} == {"vulnerability", "secret"}
        assert TOKEN not in found.model_dump_json()
        refusals, _ = judge((found,), ScanPolicy(), "dev")
        assert {refusal.code for refusal in refusals} == {12}

    def test_a_clean_context_passes(self, scanner: TrivyScanner, project: Path) -> None:
        found = scan_source(scanner, project)
        assert (found.status, found.findings) == ("passed", ())

    def test_a_git_repository_in_the_context_is_scanned_as_any_other_folder(
        self, scanner: TrivyScanner, project: Path, run: Callable[..., Any]
    ) -> None:
        (project / "requirements.txt").write_text("shipper-fixture-vulnerable==1.0\n")
        assert run("git", "init", "--quiet", str(project)).returncode == 0
        assert "CVE-2099-0001" in {finding.id for finding in scan_source(scanner, project).findings}

    def test_a_hostile_repository_changes_nothing(
        self, scanner: TrivyScanner, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (project / "requirements.txt").write_text("shipper-fixture-vulnerable==1.0\n")
        (project / "settings.ini").write_text(f"token = {TOKEN}\n")
        calm = scan_source(scanner, project)
        make_hostile(project)
        monkeypatch.chdir(project)
        for name, value in HOSTILE_ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        assert set(calm.findings) <= set(scan_source(scanner, project).findings)
        saved = save_image(tmp_path / "image.tar", packages={"shipper-fixture-vulnerable": "1.0"})
        found = scanner.scan_image(image_of(saved), saved.path, Calm())
        assert "CVE-2099-0001" in {finding.id for finding in found.findings}

    def test_a_cancelled_run_scans_nothing(self, scanner: TrivyScanner, project: Path) -> None:
        scanner.world()
        with pytest.raises(Interrupted):
            scanner.scan_source(service_of(project), ImageSettings(), source(), Calm(cancelled=True))


HOSTILE_ENVIRONMENT = {
    "TRIVY_SEVERITY": "UNKNOWN",
    "TRIVY_EXIT_CODE": "0",
    "TRIVY_SCANNERS": "license",
    "TRIVY_IGNOREFILE": ".trivyignore",
    "TRIVY_CONFIG": "trivy.yaml",
    "TRIVY_SKIP_DIRS": "**",
    "TRIVY_SECRET_CONFIG": "trivy-secret.yaml",
    "TRIVY_IGNORE_UNFIXED": "true",
}


def make_hostile(project: Path) -> None:
    """Everything that a repository can do to be waved through."""
    (project / "trivy.yaml").write_text("exit-code: 0\nseverity: [UNKNOWN]\nscan:\n  skip-dirs: ['**']\n")
    (project / ".trivyignore").write_text("CVE-2099-0001\nDS-0002\ngithub-pat\n")
    (project / ".trivyignore.yaml").write_text("vulnerabilities:\n  - id: CVE-2099-0001\n")
    rules = "disable-rules: [github-pat]\nallow-rules:\n  - {id: all, description: x, regex: '.*'}\n"
    (project / "trivy-secret.yaml").write_text(rules)
    (project / "everything").symlink_to("/")
    (project / "round").symlink_to("round")


class TestTheDockerfile:
    def test_running_as_root_is_a_misconfiguration(self, scanner: TrivyScanner, project: Path) -> None:
        (project / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY app.py /srv/\n")
        found = lint(scanner, project)
        assert found.status == "passed"
        [root] = [finding for finding in found.findings if finding.id == "DS-0002"]
        assert (root.kind, root.severity, root.where) == ("misconfiguration", "high", "Dockerfile")

    @pytest.mark.parametrize("words", ["#trivy:ignore:DS-0002", "RUN true \\\n  && echo //trivy:ignore:DS-0002"])
    def test_nothing_in_it_can_switch_a_check_off(self, scanner: TrivyScanner, project: Path, words: str) -> None:
        (project / "Dockerfile").write_text(f"FROM python:3.11-slim\nCOPY app.py /srv/\n{words}\nUSER root\n")
        make_hostile(project)
        assert "DS-0002" in {finding.id for finding in lint(scanner, project).findings}

    def test_it_may_have_any_name(self, scanner: TrivyScanner, project: Path) -> None:
        (project / "Dockerfile").rename(project / "service.build")
        (project / "service.build").write_text("FROM python:3.11-slim\nUSER root\n")
        found = lint(scanner, project, dockerfile="service.build")
        assert any(finding.where.startswith("service.build") for finding in found.findings)

    def test_a_build_argument_that_looks_like_a_secret_fails_and_is_not_repeated(
        self, scanner: TrivyScanner, project: Path
    ) -> None:
        (project / "Dockerfile").write_text(DOCKERFILE + f"ENV GREETING={TOKEN}\n")
        found = lint(scanner, project, build_args={"DB_PASSWORD": "correct-horse"})
        assert found.status == "failed"
        assert "DB_PASSWORD" in found.reason
        assert "GREETING in Dockerfile:4" in found.reason
        assert TOKEN not in found.model_dump_json()
        assert "correct-horse" not in found.model_dump_json()
        refusals, _ = judge((found,), ScanPolicy(), "dev")
        assert [refusal.code for refusal in refusals] == [10]


class TestWhatIsNotBelieved:
    def test_no_scanner(self, make: Callable[..., TrivyScanner], tmp_path: Path) -> None:
        assert "not found" in refused(make(binary=str(tmp_path / "no-such-trivy"))).message

    @pytest.mark.parametrize("status", [1, 2, 10])
    def test_a_scanner_that_fails(
        self, make: Callable[..., TrivyScanner], wrapper: Callable[[str], str], project: Path, status: int
    ) -> None:
        scanner = make(binary=wrapper(f"if sys.argv[1] == 'fs': sys.exit({status})"))
        with pytest.raises(ScannerError, match=f"status {status}"):
            scan_source(scanner, project)

    @pytest.mark.parametrize(
        "written",
        [
            '{"Results": "none"}',
            '{"SchemaVersion": 2, "ArtifactType": "filesystem", "Results": [{"Target": "a", "Secrets": {}}]}',
            '{"SchemaVersion": 2, "ArtifactType": "filesystem", "Results": [{"Target": "a", "Secrets": [{}]}]}',
            '{"SchemaVersion": 3, "ArtifactType": "filesystem", "Results": []}',
            '{"SchemaVersion": 2, "ArtifactType": "container_image", "Results": []}',
            '{"SchemaVersion": 2, "ArtifactType": "filesystem", "Resul',
            "[" * 100_000,
            "",
        ],
    )
    def test_unexpected_json(
        self, make: Callable[..., TrivyScanner], wrapper: Callable[[str], str], project: Path, written: str
    ) -> None:
        lie = f"if sys.argv[1] == 'fs': open(output, 'w').write({written!r}); sys.exit(0)"
        with pytest.raises(ScannerError, match="cannot be believed"):
            scan_source(make(binary=wrapper(lie)), project)

    def test_no_report_at_all(
        self, make: Callable[..., TrivyScanner], wrapper: Callable[[str], str], project: Path
    ) -> None:
        with pytest.raises(ScannerError, match="it wrote none"):
            scan_source(make(binary=wrapper("if sys.argv[1] == 'fs': sys.exit(0)")), project)

    def test_a_malicious_release(self, make: Callable[..., TrivyScanner], wrapper: Callable[[str], str]) -> None:
        lie = "if sys.argv[1] == 'version': print('{\"Version\": \"0.69.4\"}'); sys.exit(0)"
        assert "malicious" in refused(make(binary=wrapper(lie))).message

    def test_no_database(self, make: Callable[..., TrivyScanner], tmp_path: Path) -> None:
        error = refused(make(cache=tmp_path / "empty"))
        assert "no vulnerability database" in error.message
        assert "--download-db-only" in error.hint

    def test_a_database_of_last_week(self, make: Callable[..., TrivyScanner], cache: Path) -> None:
        date_database(cache, datetime.now(UTC) - timedelta(days=8))
        assert "8 days old" in refused(make()).message
        assert make(db_max_age=9 * 86400).world()

    def test_a_database_of_tomorrow(self, make: Callable[..., TrivyScanner], cache: Path) -> None:
        date_database(cache, datetime.now(UTC) + timedelta(days=2))
        assert "future" in refused(make()).message

    def test_metadata_that_says_nothing(self, make: Callable[..., TrivyScanner], cache: Path) -> None:
        (cache / "db" / "metadata.json").write_text('{"Version": 2}')
        assert "cannot be read" in refused(make()).message

    @pytest.mark.parametrize("spoil", ["truncated", "garbage"])
    def test_a_broken_database(self, make: Callable[..., TrivyScanner], cache: Path, spoil: str) -> None:
        path = cache / "db" / "trivy.db"
        path.write_bytes(path.read_bytes()[:9000] if spoil == "truncated" else b"no database" * 1000)
        assert "--download-db-only" in refused(make()).hint

    def test_an_empty_database_is_caught_by_its_canary(self, make: Callable[..., TrivyScanner], cache: Path) -> None:
        without = tuple(advisory for advisory in ADVISORIES if advisory.package != "shipper-canary")
        (cache / "db" / "trivy.db").write_bytes(bolt.dump(tree(without)))
        assert "does not know that shipper-canary" in refused(make()).message

    def test_a_database_that_is_no_fixture_is_asked_about_real_packages(
        self, make: Callable[..., TrivyScanner], cache: Path
    ) -> None:
        (cache / "db" / "fixture.json").unlink()
        assert "Django" in refused(make()).message
        language = Advisory("CVE-2099-0010", "django", "CRITICAL", below="2.0")
        system = Advisory("CVE-2099-0011", "openssl", "CRITICAL", below="3.0.1-1", os_package=True)
        (cache / "db" / "trivy.db").write_bytes(bolt.dump(tree((language,))))
        assert "openssl" in refused(make()).message
        (cache / "db" / "trivy.db").write_bytes(bolt.dump(tree((language, system))))
        assert make().world().startswith("trivy 0.")


class TestTheDatabase:
    def test_another_database_is_another_world(self, make: Callable[..., TrivyScanner], cache: Path) -> None:
        before = make().world()
        assert make().world() == before
        more = (*ADVISORIES, Advisory("CVE-2099-0099", "shipper-new", "LOW", below="2"))
        (cache / "db" / "trivy.db").write_bytes(bolt.dump(tree(more)))
        assert make().world() != before

    def test_the_canary_is_asked_once(
        self, make: Callable[..., TrivyScanner], wrapper: Callable[[str], str], tmp_path: Path
    ) -> None:
        asked = tmp_path / "asked"
        binary = wrapper(f"if sys.argv[1] == 'sbom': open({str(asked)!r}, 'a').write('x')")
        make(binary=binary).world()
        make(binary=binary).world()
        assert asked.read_text() == "x"

    def test_a_stale_one_that_could_not_be_refreshed_is_told(
        self, make: Callable[..., TrivyScanner], cache: Path, project: Path
    ) -> None:
        (cache / "db" / "fixture.json").unlink()
        language = Advisory("CVE-2099-0010", "django", "CRITICAL", below="2.0")
        system = Advisory("CVE-2099-0011", "openssl", "CRITICAL", below="3.0.1-1", os_package=True)
        (cache / "db" / "trivy.db").write_bytes(bolt.dump(tree((language, system))))
        date_database(cache, datetime.now(UTC) - timedelta(days=3))
        found = scan_source(make(), project)
        _, remarks = judge((found,), ScanPolicy(), "dev")
        assert any("3 days old" in remark and "SHIPPER_TRIVY_OFFLINE" in remark for remark in remarks)

    def test_a_missing_one_is_downloaded(
        self,
        make: Callable[..., TrivyScanner],
        wrapper: Callable[[str], str],
        cache: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("SHIPPER_TRIVY_OFFLINE")
        fetch = f"import shutil; shutil.copytree({str(cache / 'db')!r}, {str(tmp_path / 'new' / 'db')!r})"
        binary = wrapper(f"if '--download-db-only' in sys.argv:\n    {fetch}; sys.exit(0)")
        assert make(binary=binary, cache=tmp_path / "new").world() == make(binary=binary).world()

    def test_the_checkup_is_one_line(self, trivy_rig: Rig, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHIPPER_TRIVY", str(trivy_rig.trivy))
        monkeypatch.setenv("SHIPPER_TRIVY_CACHE", str(cache))
        line = TrivyScanner.checkup(86400.0)
        assert "\n" not in line
        assert "fixture" in line
        assert "shipper-canary" in line


@pytest.fixture
def wrapper(trivy_rig: Rig, tmp_path: Path) -> Callable[[str], str]:
    """A program in Trivy's place: runs this Python first, then, if it is still there, the real Trivy."""

    def writing(statement: str) -> str:
        path = tmp_path / "wrapped-trivy"
        path.write_text(
            f"#!{sys.executable} -I\nimport os, sys\n"
            "output = sys.argv[sys.argv.index('--output') + 1] if '--output' in sys.argv else ''\n"
            f"{statement}\nos.execv({str(trivy_rig.trivy)!r}, [{str(trivy_rig.trivy)!r}, *sys.argv[1:]])\n"
        )
        path.chmod(0o755)
        return str(path)

    return writing


def test_no_variable_of_trivys_reaches_it(
    make: Callable[..., TrivyScanner],
    wrapper: Callable[[str], str],
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setenv("TRIVY_SEVERITY", "UNKNOWN")
    scan_source(make(binary=wrapper(f"open({str(seen)!r}, 'a').write(repr(dict(os.environ)) + os.getcwd())")), project)
    assert "TRIVY_" not in seen.read_text()
    assert str(project) not in seen.read_text()
    assert os.environ["TRIVY_SEVERITY"] == "UNKNOWN"
