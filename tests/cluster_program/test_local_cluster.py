"""Real clusters: what runs, what is refused, what stays after a fault, and that nothing is left behind."""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster import ClusterError, ExistingCluster, KubectlError, LocalCluster, programs
from cluster.process import command_line
from cluster.programs import HOST
from tests.toolkit.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
# The first run on a machine builds the programs.
pytestmark = pytest.mark.timeout(1200)


def wait_gone(pids: list[int]) -> None:
    eventually(f"processes {pids} are gone", lambda: not any(command_line(pid) for pid in pids))


def refused(server: str) -> bool:
    """Whether nobody listens there."""
    port = urlsplit(server).port
    assert port is not None
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) != 0


@pytest.fixture(scope="module")
def one() -> Iterator[LocalCluster]:
    with LocalCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def two(one: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("two")) as cluster:
        yield cluster


def test_two_run_side_by_side_and_share_nothing(one: LocalCluster, two: LocalCluster) -> None:
    one.kubectl("create", "namespace", "only-in-one")
    assert one.server != two.server
    assert not set(one.pids().values()) & set(two.pids().values())
    assert two.kubectl("get", "namespace", "only-in-one", check=False).returncode == 1
    assert two.ca_file.read_bytes() != one.ca_file.read_bytes()


def test_kubectl_tells_the_version(one: LocalCluster) -> None:
    version = json.loads(one.kubectl("version", "-o", "json").stdout)
    assert version["serverVersion"]["gitVersion"] == "v1.37.1"
    assert version["clientVersion"]["gitVersion"] == "v1.37.1"
    assert (version["serverVersion"]["major"], version["serverVersion"]["minor"]) == ("1", "37")


def test_everything_listens_on_loopback_only(one: LocalCluster) -> None:
    own = {f"socket:[{inode}]" for inode in _listening_elsewhere()}
    for pid in one.pids().values():
        held = {os.readlink(entry) for entry in _descriptors(pid)}
        assert not held & own


def _listening_elsewhere() -> list[str]:
    """The sockets of this machine that listen on more than loopback."""
    inodes = []
    for table, loopback in (("tcp", ("0100007F",)), ("tcp6", ("0" * 24 + "01000000", "0" * 16 + "FFFF00000100007F"))):
        path = Path("/proc/net") / table
        if not path.exists():
            pytest.skip("the sockets of a process are read from /proc")
        for line in path.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1].split(":")[0] not in loopback:
                inodes.append(fields[9])
    return inodes


def _descriptors(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    return [f"{folder}/{name}" for name in os.listdir(folder) if os.path.islink(f"{folder}/{name}")]


def test_files_are_private(one: LocalCluster) -> None:
    assert one.data_dir.stat().st_mode & 0o777 == 0o700
    for path in (one.kubeconfig, *(one.data_dir / "pki").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


# Who may what


def test_rbac_is_on(one: LocalCluster) -> None:
    one.kubectl("create", "serviceaccount", "reader")
    kubeconfig = one.service_account_kubeconfig("default", "reader")
    who = json.loads(one.kubectl("auth", "whoami", "-o", "json", kubeconfig=kubeconfig).stdout)
    assert who["status"]["userInfo"]["username"] == "system:serviceaccount:default:reader"
    with pytest.raises(KubectlError, match=r"Forbidden.*cannot list resource \"secrets\""):
        one.kubectl("get", "secrets", kubeconfig=kubeconfig)
    one.kubectl("create", "role", "reader", "--verb=list", "--resource=secrets")
    one.kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:reader")
    eventually(
        "the right is there", lambda: one.kubectl("get", "secrets", check=False, kubeconfig=kubeconfig).returncode == 0
    )
    with pytest.raises(KubectlError, match="Forbidden"):
        one.kubectl("get", "configmaps", kubeconfig=kubeconfig)


def test_service_account_token_is_in_a_private_file_and_lasts_as_asked(one: LocalCluster, tmp_path: Path) -> None:
    path = one.service_account_kubeconfig("default", "default", tmp_path / "here" / "config", duration="20m")
    token_file = tmp_path / "here" / "config.token"
    assert json.loads(path.read_text())["users"][0]["user"] == {"tokenFile": str(token_file)}
    assert token_file.stat().st_mode & 0o077 == 0
    claims = token_file.read_text().split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert decoded["exp"] - decoded["iat"] == 20 * 60


def test_unknown_service_account_is_told(one: LocalCluster) -> None:
    with pytest.raises(KubectlError, match='serviceaccounts "nobody" not found'):
        one.service_account_kubeconfig("default", "nobody")


def test_etcd_answers_nobody_without_a_certificate(one: LocalCluster) -> None:
    port = json.loads((one.data_dir / "cluster.json").read_text())["ports"]["etcd"]
    context = ssl.create_default_context(cafile=str(one.ca_file))
    connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=10)
    with pytest.raises((OSError, http.client.HTTPException)):
        _get(connection, "/version")


def _get(connection: http.client.HTTPSConnection, path: str) -> int:
    connection.request("GET", path)
    return connection.getresponse().status


def test_tls_is_verified(one: LocalCluster, two: LocalCluster, tmp_path: Path) -> None:
    content = json.loads(one.kubeconfig.read_text())
    stanza = content["clusters"][0]["cluster"]
    assert stanza["server"] == one.server
    assert "insecure-skip-tls-verify" not in stanza
    stanza["certificate-authority-data"] = base64.b64encode(two.ca_file.read_bytes()).decode()
    (tmp_path / "wrong").write_text(json.dumps(content))
    with pytest.raises(KubectlError, match="certificate"):
        one.kubectl("get", "namespaces", kubeconfig=tmp_path / "wrong")
    port = urlsplit(one.server).port
    trusting_others = ssl.create_default_context(cafile=str(two.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        _get(http.client.HTTPSConnection(HOST, port, context=trusting_others, timeout=10), "/readyz")
    trusting_it = ssl.create_default_context(cafile=str(one.ca_file))
    assert _get(http.client.HTTPSConnection(HOST, port, context=trusting_it, timeout=10), "/readyz") == 200


def test_priority_and_fairness_is_on(one: LocalCluster) -> None:
    levels = one.kubectl("get", "--raw", "/debug/api_priority_and_fairness/dump_priority_levels").stdout
    assert "workload-low" in levels


# The controllers


def test_namespace_with_content_ends(one: LocalCluster) -> None:
    one.kubectl("create", "namespace", "ending")
    one.kubectl("create", "configmap", "content", "--namespace=ending")
    one.kubectl("delete", "namespace", "ending", "--timeout=30s")
    assert one.kubectl("get", "namespace", "ending", check=False).returncode == 1


def test_new_namespace_gets_its_service_account(one: LocalCluster) -> None:
    one.kubectl("create", "namespace", "new")
    one.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace=new", "--timeout=30s")


def test_what_is_owned_goes_with_its_owner(one: LocalCluster) -> None:
    one.kubectl("create", "configmap", "owner")
    owner = json.loads(one.kubectl("get", "configmap", "owner", "-o", "json").stdout)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "owned", "ownerReferences": [reference]},
    }
    one.kubectl("create", "-f", "-", input=json.dumps(owned))
    one.kubectl("create", "secret", "generic", "not-owned")
    one.kubectl("delete", "configmap", "owner")
    one.kubectl("wait", "--for=delete", "secret/owned", "--timeout=30s")
    one.kubectl("get", "secret", "not-owned")


def test_cluster_roles_are_aggregated(one: LocalCluster) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "widgets", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}],
    }
    one.kubectl("create", "-f", "-", input=json.dumps(role))
    eventually(
        "view has the new rule", lambda: "widgets" in one.kubectl("get", "clusterrole", "view", "-o", "json").stdout
    )


# Faults


def test_api_server_comes_back_with_its_port_and_data(two: LocalCluster) -> None:
    two.kubectl("create", "configmap", "kept-by-etcd")
    server, pid = two.server, two.api_server_pid
    two.stop_api_server()
    assert two.api_server_pid is None
    assert refused(server)
    with pytest.raises(KubectlError, match="refused"):
        two.kubectl("get", "configmap", "kept-by-etcd")
    two.start_api_server()
    assert two.server == server
    assert two.api_server_pid not in (None, pid)
    two.kubectl("get", "configmap", "kept-by-etcd")


def test_paused_api_server_answers_nothing_until_resumed(two: LocalCluster) -> None:
    two.pause_api_server()
    try:
        with pytest.raises(ClusterError, match=r"kubectl get namespaces did not end within 2 s"):
            two.kubectl("get", "namespaces", timeout=2)
    finally:
        two.resume_api_server()
    two.kubectl("get", "namespaces")


def test_etcd_comes_back_with_its_data(two: LocalCluster) -> None:
    two.kubectl("create", "configmap", "kept-on-disk")
    two.stop_etcd()
    assert two.etcd_pid is None
    eventually("the API server misses etcd", lambda: not two.is_ready())
    two.start_etcd()
    eventually("the API server has found etcd again", two.is_ready)
    two.kubectl("get", "configmap", "kept-on-disk")


def test_controllers_go_on_after_the_faults(two: LocalCluster) -> None:
    two.kubectl("create", "namespace", "after-faults")
    two.kubectl("delete", "namespace", "after-faults", "--timeout=60s")


def test_controllers_wait_for_an_api_server_that_is_slow(two: LocalCluster) -> None:
    """kube-controller-manager gives up after 10 s."""
    two.stop_controller_manager()
    two.stop_api_server()
    log = two.data_dir / "kube-controller-manager.log"
    before = log.read_text().count("failed to wait for apiserver being healthy")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(two.start_controller_manager)
        given_up = lambda: log.read_text().count("failed to wait for apiserver being healthy") > before  # noqa: E731
        eventually("it gave up once", given_up)
        two.start_api_server()
        starting.result(90)
    two.kubectl("create", "namespace", "after-waiting")
    two.kubectl("wait", "-n", "after-waiting", "--for=create", "serviceaccount/default", "--timeout=60s")


def test_new_certificates_end_the_old_ones_and_keep_data_and_tokens(two: LocalCluster, tmp_path: Path) -> None:
    two.kubectl("create", "namespace", "kept-by-rotation")
    old = Path(shutil.copy(two.kubeconfig, tmp_path / "old"))
    account = two.service_account_kubeconfig("default", "default", tmp_path / "account")
    token = Path(f"{account}.token").read_text()
    two.rotate_certificates()
    two.kubectl("get", "namespace", "kept-by-rotation")
    with pytest.raises(KubectlError, match=r"certificate signed by unknown authority"):
        two.kubectl("get", "namespaces", kubeconfig=old)
    by_token = (f"--server={two.server}", f"--certificate-authority={two.ca_file}", f"--token={token}")
    (empty := tmp_path / "empty").touch()
    who = two.kubectl(*by_token, "auth", "whoami", kubeconfig=empty).stdout
    assert "system:serviceaccount:default:default" in who
    two.kubectl("create", "namespace", "made-after-rotation")
    two.kubectl("delete", "namespace", "made-after-rotation", "--timeout=30s")


def test_what_runs_is_not_started_twice(two: LocalCluster) -> None:
    for start in (two.start, two.start_api_server, two.start_etcd, LocalCluster(two.data_dir).start):
        with pytest.raises(ClusterError, match="already"):
            start()
    assert two.is_ready()


# Folders and ports


def test_named_context_is_used_and_left_alone(
    one: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig))
    with ExistingCluster("context", tmp_path / "folder") as existing:
        assert existing.kubeconfig.parent == tmp_path / "folder"
        assert existing.server == one.server
        assert existing.ca_file.read_bytes() == one.ca_file.read_bytes()
        assert existing.is_ready()
        kubeconfig = existing.service_account_kubeconfig("default", "default")
        assert existing.kubectl("auth", "can-i", "list", "secrets", check=False, kubeconfig=kubeconfig).returncode == 1
    assert not (tmp_path / "folder").exists()
    assert one.is_ready()


def test_kept_folder_is_started_again_with_data_port_and_keys(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "data") as cluster:
        cluster.kubectl("get", "serviceaccount", "default", "--namespace=default")  # there as soon as it is started
        assert sorted(cluster.pids()) == ["etcd", "kube-apiserver", "kube-controller-manager"]
        cluster.kubectl("create", "configmap", "kept")
        before = cluster.server, cluster.ca_file.read_bytes()
        pids = list(cluster.pids().values())
    wait_gone(pids)
    with LocalCluster(tmp_path / "data") as cluster:
        assert (cluster.server, cluster.ca_file.read_bytes()) == before
        cluster.kubectl("get", "configmap", "kept")


def test_port_taken_in_the_meantime_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = programs.free_port
    with socket.create_server((HOST, 0)) as taken:
        offered = iter([choose(), choose(), taken.getsockname()[1]])
        monkeypatch.setattr("cluster.local.free_port", lambda: next(offered, None) or choose())
        with LocalCluster() as cluster:
            assert urlsplit(cluster.server).port != taken.getsockname()[1]
            cluster.kubectl("get", "namespaces")


def test_fixed_port_that_is_taken_is_told() -> None:
    with socket.create_server((HOST, 0)) as taken:
        cluster = LocalCluster(api_port=taken.getsockname()[1])
        with pytest.raises(ClusterError, match=r"(?s)kube-apiserver ended while starting.*address already in use"):
            cluster.start()
    assert cluster.pids() == {}


# Nothing is left behind


def test_stop_leaves_no_process_and_no_folder() -> None:
    with LocalCluster() as cluster:
        pids, folder, server = list(cluster.pids().values()), cluster.data_dir, cluster.server
        assert len(pids) == 3
    wait_gone(pids)
    assert not folder.exists()
    assert refused(server)
    cluster.stop()


#: Looks up again and again: a read that blocks would not see a signal that comes just before it.
STAY = """
import json, select, sys
from cluster import LocalCluster
with LocalCluster() as cluster:
    print(json.dumps({"pids": list(cluster.pids().values()), "folder": str(cluster.data_dir)}), flush=True)
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_parent_leaves_nothing(number: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", STAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdout is not None
        started = json.loads(parent.stdout.readline())
        assert all(command_line(pid) for pid in started["pids"])
        parent.send_signal(number)
        parent.wait(timeout=30)
    wait_gone(started["pids"])
    eventually("the folder is removed", lambda: not Path(started["folder"]).exists())


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_up_stays_until_down(tmp_path: Path) -> None:
    folder = f"--data-dir={tmp_path / 'stays'}"
    up = run_program("up", folder)
    try:
        assert up.returncode == 0, up.stderr
        kubeconfig = run_program("kubeconfig", folder).stdout.strip()
        assert f"export KUBECONFIG={kubeconfig}" in up.stdout
        assert run_program("status", folder).returncode == 0
        assert "The cluster runs already." in run_program("up", folder).stderr
        cluster = LocalCluster.attach(tmp_path / "stays")
        cluster.kubectl("get", "namespaces")
        cluster.stop_api_server()
        cluster.start_api_server()
        pids = list(cluster.pids().values())
        assert len(pids) == 3
    finally:
        down = run_program("down", folder)
    assert down.returncode == 0, down.stderr
    wait_gone(pids)
    assert not (tmp_path / "stays").exists()
    assert run_program("status", folder).returncode == 1
