"""Where the node's programs come from: the cache or a build from pinned modules, and Debian's packages."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cluster import binaries, build, report
from cluster.errors import ClusterError

#: From the same module as kube-apiserver.
KUBERNETES = {name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kube-scheduler", "kubelet", "kube-proxy")}
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
CONTAINERS = {
    "containerd": f"{_CONTAINERD}/containerd",
    "containerd-shim-runc-v2": f"{_CONTAINERD}/containerd-shim-runc-v2",
    "ctr": f"{_CONTAINERD}/ctr",
    "bridge": f"{_CNI}/main/bridge",
    "loopback": f"{_CNI}/main/loopback",
    "host-local": f"{_CNI}/ipam/host-local",
    "pause": "./pause",
}
#: What is taken from Debian: each program, and the package that has it.
_DEBIAN = {"runc": "runc", "nft": "nftables", "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}
#: Folders where system programs are, which are missing in the PATH of some accounts.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SOURCES = Path(__file__).resolve().parent
_APT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class NodeBinaries:
    """The node's programs that are built, in one folder."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        """The path of a program."""
        return self.folder / name


def ensure_node_binaries() -> NodeBinaries:
    """The node's programs, built first if need be: some minutes, told on standard error.

    Raises ``ClusterError`` if this machine cannot run a node, or the build fails.
    """
    _require_root()
    _ensure_packages()
    target = cache_folder()
    if _missing(target):
        with build.exclusively(target):
            if _missing(target):  # else another process has built them in the meantime
                modules = [build.Module(_SOURCES.parent, KUBERNETES), build.Module(_SOURCES, CONTAINERS)]
                build.build(modules, target, binaries.kubernetes_version(), minutes=8)
    if missing := _missing(target):
        raise ClusterError(f"{target} does not hold {', '.join(missing)}.")
    return NodeBinaries(target)


def cache_folder() -> Path:
    """Where they are kept: a folder per content of what they are built from, beside that of the API server."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum", "pause/main.go"):
        digest.update((_SOURCES / name).read_bytes())
    beside = binaries.cache_folder()
    return beside.with_name(f"node-{beside.name}-{digest.hexdigest()[:12]}")


def _require_root() -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ClusterError(
            "A node needs root on Linux, for namespaces and cgroups: run it as root, or use --provider kind, "
            "whose nodes are containers."
        )


def _ensure_packages() -> None:
    """Install what is missing where apt-get is there; else say what it is."""
    missing = sorted({package for name, package in _DEBIAN.items() if find_system_program(name) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"A node needs {', '.join(missing)}: install these packages first.")
    report.line(f"Installing {', '.join(missing)}.")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        done = subprocess.run(
            ["apt-get", "--quiet", *command], capture_output=True, text=True, check=False, timeout=_APT_SECONDS
        )
        if done.returncode != 0:
            raise ClusterError(f"apt-get {command[0]} failed: {done.stderr.strip()[-1000:]}")


def find_system_program(name: str) -> str | None:
    """The path of a program of the system, also where PATH leaves out the folders of administrators."""
    return shutil.which(name, path=SYSTEM_PATH)


def _missing(folder: Path) -> list[str]:
    return [name for name in (*KUBERNETES, *CONTAINERS) if not os.access(folder / name, os.X_OK)]
