"""From a Dockerfile to verified traffic, on a Docker host."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.projects import write_service
from tests.rig import load

pytestmark = pytest.mark.e2e


def test_the_first_release_serves_with_proof(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", version="1", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    serves = ended.finished["serves"]
    assert serves["proof"] == "identity"
    assert (serves["number"], serves["changed"], serves["previous"]) == (1, True, None)
    answer = host.ask()
    assert answer.json == {"service": "shop", "version": "1"}
    assert answer.revision == serves["revision"]
    assert set(ended.stages().values()) == {"done"}
    assert ended.finished["rollback"] == "not possible: there is no earlier verified release to go back to"


def test_a_person_reads_the_address_the_proof_and_how_to_go_back(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.run("release", "-C", project.folder)
    assert ended.code == 0, ended
    assert f"http://127.0.0.1:{host.port}" in ended.stdout
    assert "identity" in ended.stdout
    assert ended.stdout.rstrip().splitlines()[-1].startswith("rollback: not possible: ")
    told = [line for line in ended.stdout.splitlines() if str(host.home) not in line]
    assert max(len(line) for line in told) <= 100


def test_a_change_takes_over_without_a_failed_request(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", version="1", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    write_service(tmp_path / "shop", version="2", settings=host.settings())
    with load.start(host.port, rate=200, seconds=120, timeout=10) as running:
        ended = host.release(project.folder)
    result = running.stop()
    assert ended.code == 0, ended
    assert host.ask().json["version"] == "2"
    assert result.failed == 0, result
    assert result.sent > 200
    assert set(result.by_revision) == {ended.finished["serves"]["previous"], ended.finished["serves"]["revision"]}


def test_the_same_again_says_so_and_changes_nothing(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    before = (host.containers(every=True), host.ask().revision)
    ended = host.release(project.folder)
    assert ended.code == 0
    assert ended.finished["cause"] == "nothing-to-do"
    assert not ended.finished["serves"]["changed"]
    assert (host.containers(every=True), host.ask().revision) == before
    reused = {stage for stage, status in ended.stages().items() if status == "reused"}
    assert {"build", "scan", "smoke"} <= reused


def test_an_unrelated_commit_gives_the_same_image_and_nothing_to_do(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    first = host.release(project.folder, "--fresh")
    write_service(tmp_path / "shop", settings=host.settings())
    again = host.release(project.folder, "--fresh")
    assert (first.code, again.code) == (0, 0)
    assert again.finished["cause"] == "nothing-to-do", again
    assert again.finished["serves"]["fingerprint"] == first.finished["serves"]["fingerprint"]


def test_with_a_repository_the_image_is_pushed_proved_and_run_by_digest(host: Host, tmp_path: Path) -> None:
    repository = f"{host.rig.registry}/e2e/{host.namespace}"
    project = write_service(tmp_path / "shop", settings=host.settings(image={"repository": repository}))
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    reference = ended.finished["serves"]["image"]
    assert reference.startswith(f"{repository}@sha256:")
    name, digest = reference.removeprefix(f"{host.rig.registry}/").split("@")
    accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(f"http://{host.rig.registry}/v2/{name}/manifests/{digest}")
    request.add_header("Accept", accept)
    with urllib.request.urlopen(request, timeout=10) as answer:
        manifest = json.load(answer)
    assert manifest["config"]["digest"] in docker("inspect", "--format", "{{json .Config.Labels}}", *host.containers())


def test_a_configuration_change_alone_is_a_release_of_the_same_image(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    first = host.release(project.folder)
    write_service(tmp_path / "shop", settings=host.settings(run={"env": {"LOG_LEVEL": "debug"}}))
    second = host.release(project.folder)
    assert (first.code, second.code) == (0, 0)
    assert second.finished["serves"]["number"] == 2
    assert second.finished["serves"]["image"] == first.finished["serves"]["image"]
    assert second.stages()["scan"] == "reused"


def test_secrets_arrive_as_files_and_nowhere_else(host: Host, tmp_path: Path) -> None:
    settings = host.settings(run={"secrets": {"API_TOKEN": "env:SHOP_TOKEN"}})
    project = write_service(tmp_path / "shop", settings=settings)
    missing = host.release(project.folder)
    assert missing.code == 2
    assert "SHOP_TOKEN" in missing.said
    value = "correct-horse-battery-staple"
    ended = host.release(project.folder, env={"SHOP_TOKEN": value})
    assert ended.code == 0, ended
    assert host.ask("/secret?name=API_TOKEN").json == {"length": len(value)}
    kept = "".join(path.read_text(errors="replace") for path in host.home.rglob("*") if path.is_file())
    inspected = docker("inspect", *host.containers())
    assert value not in ended.stdout + ended.stderr + kept + inspected


def test_two_services_share_a_host_each_under_its_name(host: Host, tmp_path: Path) -> None:
    for name in ("shop", "cart"):
        project = write_service(tmp_path / name, service=name, settings=host.settings())
        ended = host.release(project.folder)
        assert ended.code == 0, ended
    assert host.ask(host="shop.localhost").json["service"] == "shop"
    assert host.ask(host="cart.localhost").json["service"] == "cart"
    assert host.ask(host="other.localhost").status == 404


def test_traffic_moved_by_hand_is_refused_and_told(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    server = f"slot00/{ended.finished['serves']['revision']}"
    by_hand = f"exec 3<>/dev/tcp/127.0.0.1/9999; echo 'set server {server} weight 7' >&3; cat <&3"
    docker("exec", f"{host.namespace}-proxy", "bash", "-c", by_hand)
    write_service(tmp_path / "shop", version="2", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 31, ended
    assert "100 -> 7" in ended.said
    assert host.ask().json["version"] == "1"
    docker("restart", f"{host.namespace}-proxy")  # what docs/howto.md says: the proxy comes back as shipper left it
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    assert host.ask().json["version"] == "2"


def test_a_serving_container_that_was_removed_is_mended_by_a_release(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    docker("rm", "-f", *host.containers())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    assert host.ask().json["version"] == "1"


def test_status_plan_and_logs_tell_what_is(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    planned = host.run("plan", "-C", project.folder, "--exit-code")
    assert planned.code == 3
    assert "to be built" in planned.stdout
    assert host.containers(every=True) == []
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    status = host.run("status", "-C", project.folder)
    assert status.code == 0
    assert "identity, verified" in status.stdout
    logs = host.run("logs", "-C", project.folder)
    assert "version 1 listens on 0.0.0.0" in logs.stdout
    same = host.run("plan", "-C", project.folder, "--exit-code")
    assert same.code == 0, same.stdout
