"""etcd, API server, controller manager and scheduler as daemons of the rig, on 127.0.0.1. Standard library only.

A boot is always a new cluster: 3 s on an idle machine. Role based access control, Pod Security admission, quotas and
limit ranges are on, as they are by default. The administrator is a token in the group system:masters.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.rig.kubernetes import build, certificates, crds, kubeconfigs
from tests.rig.kubernetes.place import Place, answers
from tests.rig.kubernetes.rest import Rest
from tests.rig.shell import RigError

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
_KEPT = ("ports.json",)
"""All else of a former cluster goes when a new one starts."""
_SERVICES = "10.96.0.0/16"


def runs(place: Place, code: str) -> bool:
    """Whether a cluster of these sources is up."""
    if not place.ports or not all(place.runs(name, code) for name in PROGRAMS):
        return False
    return is_ready(place)


def boot(place: Place, code: str) -> str:
    """A new cluster, once no program of a former one runs; what it took. Raises RigError."""
    started = time.monotonic()
    _clear(place.folder)
    place.choose_ports()
    programs = build.programs()
    place.daemon("etcd").start(_etcd(place, programs), answers=lambda: True)
    certificates.make(place.tls)
    _write_kubeconfigs(place)
    start_apiserver(place)
    ready = time.monotonic()
    place.daemon("kube-scheduler").start(_scheduler(place, programs), answers=lambda: True)
    place.daemon("kube-controller-manager").start(_controllers(place, programs), _patient(place, _has_account))
    settled = time.monotonic()
    crds.install_gateway_api(Rest.of(place.kubeconfig))
    for name in PROGRAMS:
        place.mark(name, code)
    ended = time.monotonic()
    return (
        f"ready in {ended - started:.1f} s (API server {ready - started:.1f}, controllers {settled - ready:.1f}, "
        f"Gateway API {ended - settled:.1f})"
    )


def stop(place: Place) -> bool:
    """End it; True when something ran. The API server would wait for its watches to end by themselves."""
    stopped = [
        place.daemon("kube-scheduler").stop(),
        place.daemon("kube-controller-manager").stop(),
        place.daemon("kube-apiserver").stop(patience=0),
        place.daemon("etcd").stop(),
    ]
    return any(stopped)


def start_apiserver(place: Place) -> None:
    """On the data that etcd has, and wait until it is ready."""
    argv = _apiserver(place, build.programs())
    place.daemon("kube-apiserver").start(argv, _patient(place, is_ready), patience=60)


def kill_apiserver(place: Place) -> None:
    """As when its machine is lost. Told to end, it would wait for its open watches for a minute."""
    place.daemon("kube-apiserver").stop(patience=0)
    deadline = time.monotonic() + 30
    while answers(place.ports["apiserver"]):
        if time.monotonic() > deadline:
            raise RigError("the API server still answers although it was killed")
        time.sleep(0.01)


def restart_clients(place: Place) -> None:
    """Controllers and scheduler anew: as they are, they would look for a lost API server every 30 s at last.

    Elsewhere they end by themselves when they cannot renew their lease, and are started again.
    """
    programs = build.programs()
    scheduler, controllers = place.daemon("kube-scheduler"), place.daemon("kube-controller-manager")
    for daemon in (scheduler, controllers):
        daemon.stop(patience=0)
    scheduler.start(_scheduler(place, programs), answers=lambda: True)
    controllers.start(_controllers(place, programs), answers=lambda: True)


def is_ready(place: Place) -> bool:
    return _status(place, "/readyz") == 200


def memory(place: Place) -> str:
    """Resident memory of each program, such as "etcd 46 MB, …"."""
    return ", ".join(f"{name} {_resident(place.daemon(name).pid())} MB" for name in PROGRAMS)


def _has_account(place: Place) -> bool:
    """Pods are refused until the controller manager has made it."""
    return _status(place, "/api/v1/namespaces/default/serviceaccounts/default") == 200


def _patient(place: Place, condition: Callable[[Place], bool]) -> Callable[[], bool]:
    return lambda: condition(place)


def _status(place: Place, path: str) -> int:
    rest = Rest.of(place.kubeconfig)
    rest.timeout = 2
    try:
        return rest.request("GET", path)[0]
    except OSError:
        return 0
    finally:
        rest.close()


def _clear(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for entry in folder.iterdir():
        if entry.name in _KEPT:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _write_kubeconfigs(place: Place) -> None:
    token = secrets.token_urlsafe(24)
    tokens = place.tls / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},rig-admin,rig-admin,"system:masters"\n')
    authority = place.tls / "ca.crt"
    gate = f"https://127.0.0.1:{place.ports['gate']}"
    kubeconfigs.write(place.kubeconfig, server=place.server, authority=authority, token=token)
    kubeconfigs.write(place.gate_kubeconfig, server=gate, authority=authority, token=token)


def _etcd(place: Place, programs: Path) -> list[str | Path]:
    client, peers = (f"http://127.0.0.1:{place.ports[name]}" for name in ("etcd", "etcd_peers"))
    return [
        programs / "etcd",
        f"--data-dir={place.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # what a crash of the machine would lose is thrown away anyway
        "--log-level=error",
    ]


def _apiserver(place: Place, programs: Path) -> list[str | Path]:
    tls = place.tls
    return [
        programs / "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{place.ports['etcd']}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={place.ports['apiserver']}",
        f"--tls-cert-file={tls / 'apiserver.crt'}",
        f"--tls-private-key-file={tls / 'apiserver.key'}",
        f"--cert-dir={tls / 'other'}",
        f"--token-auth-file={tls / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={tls / 'sa.pub'}",
        f"--service-account-signing-key-file={tls / 'sa.key'}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={_SERVICES}",
        "--endpoint-reconciler-type=none",  # pods on this machine's engine would not reach it at 127.0.0.1
        "--allow-privileged=true",
        "--profiling=false",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
    ]


def _controllers(place: Place, programs: Path) -> list[str | Path]:
    tls = place.tls
    return [
        programs / "kube-controller-manager",
        *_clients(place),
        f"--service-account-private-key-file={tls / 'sa.key'}",
        f"--root-ca-file={tls / 'ca.crt'}",
        "--node-monitor-grace-period=1h",  # a machine that stood still must not lose its pods
    ]


def _scheduler(place: Place, programs: Path) -> list[str | Path]:
    return [programs / "kube-scheduler", *_clients(place)]


def _clients(place: Place) -> list[str]:
    quick = ("--kube-api-qps=300", "--kube-api-burst=600")  # many tests side by side are one client here
    return [f"--kubeconfig={place.kubeconfig}", "--leader-elect=false", "--profiling=false", "--secure-port=0", *quick]


def _resident(pid: int | None) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmRSS")), 0)
