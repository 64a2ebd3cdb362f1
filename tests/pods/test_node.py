"""The node itself: it comes up, hides from the machine, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster import NodeCluster
from cluster.node.programs import NODE
from cluster.process import children, is_alive
from tests.toolkit.images import ROOT
from tests.toolkit.waiting import eventually

pytestmark = [pytest.mark.pods, pytest.mark.timeout(600)]

_OTHER = """
import sys
from cluster import NodeCluster
cluster = NodeCluster()
cluster.start()
print(cluster.data_dir, flush=True)
sys.stdin.read()
"""


def _settings() -> list[str]:
    names = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
    return [(Path("/proc/sys") / name).read_text() for name in names]


def _groups() -> set[Path]:
    return {*Path("/sys/fs/cgroup").glob("*/apiclients-*"), *Path("/sys/fs/cgroup").glob("apiclients-*")}


def _processes_of(folder: str) -> list[int]:
    """All processes whose command line or mounts name the folder, but this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid():
            try:
                told = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
            except OSError:
                continue
            if folder.encode() in told:
                found.append(int(process.name))
    return found


def test_nothing_of_the_machine_is_changed_or_left() -> None:
    settings, groups = _settings(), _groups()
    with NodeCluster() as cluster:
        cluster.kubectl("run", "idle", "--image=localhost/pause:1", "--image-pull-policy=Never")
        cluster.kubectl("wait", "--for=condition=Ready", "pod/idle", "--timeout=60s")
        assert _settings() == settings
        folder, pids = str(cluster.data_dir), [*cluster.pids().values(), *children(cluster.pids()[NODE])]
    assert not [pid for pid in pids if is_alive(pid)]
    assert _processes_of(folder) == []
    assert (_settings(), _groups()) == (settings, groups)
    assert not Path(folder).exists()


def test_a_killed_owner_takes_everything_along() -> None:
    command = [sys.executable, "-c", _OTHER]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        folder = owner.stdout.readline().strip()
        assert folder, "it did not start: see what it printed"
        assert len(_processes_of(folder)) > 8
        owner.send_signal(signal.SIGKILL)
    eventually("all its processes are gone", lambda: not _processes_of(folder))
    eventually("its folder is gone", lambda: not Path(folder).exists())
