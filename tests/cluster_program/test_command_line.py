"""What the command line says when something is missing or not meant."""

import json
from pathlib import Path

import pytest

from cluster import ClusterError, ExistingCluster, KindCluster, LocalCluster, open_cluster
from cluster.__main__ import main
from cluster.binaries import NAMES, Binaries
from cluster.process import command_line

FAKE_KIND = """#!/bin/sh
echo "$@" >>"{log}"
for argument; do case "$argument" in --kubeconfig=*) file="${{argument#--kubeconfig=}}" ;; esac; done
if [ "$1" = create ]; then echo '{kubeconfig}' >"$file"; fi
exit {status}
"""
KIND_KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "kind", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority-data": "Y2E="}}],
    "users": [{"name": "kind", "user": {}}],
    "contexts": [{"name": "kind", "context": {"cluster": "kind", "user": "kind"}}],
    "current-context": "kind",
}


def put_programs(folder: Path, text: str, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"--data-dir={tmp_path}"
    assert main(["status", folder]) == 1
    assert main(["down", folder]) == 0
    assert main(["kubeconfig", folder]) == 1
    told = capsys.readouterr()
    assert told.out == f"There is no cluster in {tmp_path}.\n"
    assert told.err.endswith(f"error: There is no cluster in {tmp_path}. `python -m cluster up` starts one.\n")


def test_existing_must_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--provider=existing", f"--data-dir={tmp_path}"]) == 1
    assert "needs --context NAME: no cluster is used without being named." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_context_goes_with_existing_only() -> None:
    with pytest.raises(ClusterError, match="--context goes with --provider existing, not with local"):
        open_cluster("local", context="production")


def test_unknown_provider() -> None:
    with pytest.raises(ClusterError, match="There is no provider minikube: use one of local, kind, existing"):
        open_cluster("minikube")


def test_unknown_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="context nowhere"):
        ExistingCluster("nowhere").start()


def test_context_that_does_not_verify_tls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(json.dumps(KIND_KUBECONFIG))
    content["clusters"][0]["cluster"] = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}
    (tmp_path / "config").write_text(json.dumps(content))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with pytest.raises(ClusterError, match="The context kind does not verify TLS"):
        ExistingCluster("kind", tmp_path / "folder").start()
    assert not (tmp_path / "folder").exists()


def test_kind_that_is_missing_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["up", "--provider=kind", f"--data-dir={tmp_path / 'folder'}"]) == 1
    assert "The provider kind needs kind and docker on PATH" in capsys.readouterr().err
    assert not (tmp_path / "folder").exists()


def test_kind_is_created_and_deleted_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    script = FAKE_KIND.format(log=log, kubeconfig=json.dumps(KIND_KUBECONFIG), status=0)
    programs = put_programs(tmp_path / "bin", script, "kind", "docker")
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    folder = tmp_path / "folder"
    cluster = KindCluster(folder)
    cluster.start()
    assert cluster.server == "https://127.0.0.1:1"
    assert cluster.ca_file.read_text() == "ca"
    again = KindCluster(folder)  # as `down` does, in another process
    again.stop()
    created, deleted = log.read_text().splitlines()
    assert created == f"create cluster --wait=5m --name={cluster.name} --kubeconfig={folder / 'kubeconfig'}"
    assert deleted == f"delete cluster --name={cluster.name} --kubeconfig={folder / 'kubeconfig'}"
    assert not folder.exists()


def test_kind_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "#!/bin/sh\necho 'docker is not running' >&2\nexit 1\n"
    programs = put_programs(tmp_path / "bin", script, "kind", "docker")
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    with pytest.raises(ClusterError, match=r"kind create cluster --wait=5m failed:\ndocker is not running"):
        KindCluster(tmp_path / "folder").start()


def test_folder_with_other_things_is_neither_used_nor_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    programs = put_programs(tmp_path.parent / f"{tmp_path.name}-bin", "#!/bin/sh\n", *NAMES)
    with pytest.raises(ClusterError, match="holds something else than a cluster: name an empty or new folder"):
        LocalCluster(tmp_path, binaries=Binaries(programs)).start()
    assert main(["down", f"--data-dir={tmp_path}"]) == 0
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_folder_of_another_provider_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"provider": "kind", "name": "apiclient-abc"}')
    programs = put_programs(tmp_path.parent / f"{tmp_path.name}-bin", "#!/bin/sh\n", *NAMES)
    with pytest.raises(ClusterError, match="holds a cluster of the provider kind: `down` removes it"):
        LocalCluster(tmp_path, binaries=Binaries(programs)).start()


def test_program_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    programs = put_programs(tmp_path / "bin", "#!/bin/sh\necho 'no space left on device'\nexit 1\n", *NAMES)
    cluster = LocalCluster(tmp_path / "folder", binaries=Binaries(programs))
    with pytest.raises(ClusterError, match=r"etcd ended while starting\. The end of .*etcd\.log:\nno space left"):
        cluster.start()
    assert cluster.pids() == {}


def test_temporary_folder_of_a_failed_start_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    programs = put_programs(tmp_path / "bin", "#!/bin/sh\nexit 1\n", *NAMES)
    with pytest.raises(ClusterError, match="nothing was logged"):
        LocalCluster(binaries=Binaries(programs)).start()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    programs = put_programs(tmp_path / "bin", "#!/no/such/interpreter\n", *NAMES)
    with pytest.raises(ClusterError, match="etcd could not be started: "):
        LocalCluster(tmp_path / "folder", binaries=Binaries(programs)).start()


def test_not_started_is_said() -> None:
    with pytest.raises(ClusterError, match=r"has not been started: call start\(\)"):
        _ = LocalCluster().kubeconfig


def test_temporary_cluster_is_not_left_running() -> None:
    with pytest.raises(ClusterError, match="give it a data_dir"):
        LocalCluster().detach()


def test_command_line_of_no_process_is_empty() -> None:
    assert command_line(2**22 + 1) == ""
