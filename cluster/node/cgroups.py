"""The node's own part of the machine's cgroups: two nodes on one machine must not share the one of all pods."""

import contextlib
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_COPIED = ("cpuset.cpus", "cpuset.mems")  # empty in a new group of cgroup v1, and then nothing may join it
_REMOVE_SECONDS = 10.0


def make(name: str) -> None:
    """Make the group in every hierarchy. Raises ``OSError``."""
    if _unified():
        controllers = (_ROOT / "cgroup.controllers").read_text().split()
        for controller in controllers:
            with contextlib.suppress(OSError):  # one that others hold
                (_ROOT / "cgroup.subtree_control").write_text(f"+{controller}")
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
        for file in _COPIED:
            if (hierarchy / file).exists():
                (hierarchy / name / file).write_text((hierarchy / file).read_text())


def remove(name: str) -> None:
    """Remove it with all below, once the processes in it have ended; give up on what stays busy."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    while (left := [found for hierarchy in _hierarchies() if (found := hierarchy / name).exists()]) and (
        time.monotonic() < deadline
    ):
        for group in left:
            _remove_tree(group)
        time.sleep(0.05)


def _remove_tree(group: Path) -> None:
    for below in sorted(group.rglob("*/"), reverse=True):
        with contextlib.suppress(OSError):
            below.rmdir()
    with contextlib.suppress(OSError):
        group.rmdir()


def _unified() -> bool:
    return (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if _unified():
        return [_ROOT]
    return [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
