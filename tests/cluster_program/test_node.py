"""The node's programs and command lines, without starting any: what runs with them is told in ``tests/pods``."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from cluster import ClusterError, NodeCluster, build, open_cluster
from cluster.__main__ import main
from cluster.node import binaries
from cluster.node.images import write_image
from tests.toolkit.images import ROOT
from tests.toolkit.waiting import eventually

Environment = pytest.MonkeyPatch


def put_all(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in (*binaries.KUBERNETES, *binaries.CONTAINERS):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def able(tmp_path: Path, monkeypatch: Environment) -> None:
    """A machine that can run a node, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(binaries, "find_system_program", lambda name: f"/usr/bin/{name}")


def test_without_root_it_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["up", "--node", f"--data-dir={tmp_path / 'data'}"]) == 1
    assert capsys.readouterr().err == (
        "error: A node needs root on Linux, for namespaces and cgroups: run it as root, or use --provider kind, "
        "whose nodes are containers.\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("able")
def test_missing_packages_are_named_where_they_cannot_be_installed(monkeypatch: Environment) -> None:
    monkeypatch.setattr(binaries, "find_system_program", lambda name: None if name in ("runc", "nft") else name)
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ClusterError, match=r"^A node needs nftables, runc: install these packages first\.$"):
        binaries.ensure_node_binaries()


@pytest.mark.usefixtures("able")
def test_cached_programs_are_not_built_again(monkeypatch: Environment) -> None:
    folder = put_all(binaries.cache_folder())
    monkeypatch.setattr(build, "build", lambda *_, **__: pytest.fail("built"))
    assert binaries.ensure_node_binaries()["kubelet"] == folder / "kubelet"


@pytest.mark.usefixtures("able")
def test_empty_cache_means_building_from_both_modules(monkeypatch: Environment) -> None:
    built: list[str] = []

    def fake(modules: list[build.Module], target: Path, version: str, minutes: int) -> None:
        built.extend(module.sources.name for module in modules)
        put_all(target)

    monkeypatch.setattr(build, "build", fake)
    binaries.ensure_node_binaries()
    assert built == ["cluster", "node"]


def test_local_and_node_are_different_clusters() -> None:
    assert isinstance(open_cluster("local", node=True), NodeCluster)
    assert not isinstance(open_cluster("local"), NodeCluster)


def test_pause_archive_names_its_image_and_holds_the_program(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"program")
    write_image(tmp_path / "pause", "localhost/pause:1", tmp_path / "pause.tar")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["annotations"] == {"io.containerd.image.name": "localhost/pause:1"}
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name.rpartition("/")[2] == hashlib.sha256(content).hexdigest()


_RUN = """
import pathlib, sys
from cluster.node import init
init._PAUSE_SECONDS = 0.0
folder, *commands = sys.argv[1:]
programs = {f"program-{number}": ["sh", "-c", command] for number, command in enumerate(commands)}
init.run(programs, pathlib.Path(folder), {})
"""


def test_a_program_that_ends_is_started_again_up_to_a_limit(tmp_path: Path) -> None:
    """A kubelet that is started before containerd listens ends at once."""
    starts = tmp_path / "starts"
    ends = f"echo start >> {starts}; echo too early; exit 3"
    command = [sys.executable, "-c", _RUN, str(tmp_path), ends]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert len(starts.read_text().splitlines()) == 20
    assert done.stdout.startswith("program-0 ended (3). The end of its log:\ntoo early\n")


def test_a_program_that_comes_up_late_goes_on(tmp_path: Path) -> None:
    listens, ready = tmp_path / "listens", tmp_path / "ready"
    first = f"sleep 0.2; touch {listens}; exec sleep 60"
    second = f"test -e {listens} || exit 1; touch {ready}; exec sleep 60"
    command = [sys.executable, "-c", _RUN.replace("0.0", "0.1"), str(tmp_path), first, second]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as running:
        try:
            eventually("the second program runs", ready.exists)
            assert running.poll() is None
        finally:
            os.killpg(running.pid, signal.SIGKILL)
