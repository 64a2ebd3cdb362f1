"""Where the cluster's programs come from: KUBEBUILDER_ASSETS, the cache, or a build with a Go tool chain."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cluster import build, report
from cluster.errors import ClusterError

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
NAMES = tuple(PACKAGES)

_ASSETS = "KUBEBUILDER_ASSETS"
_SOURCES = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Binaries:
    """The three programs, in one folder."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Binaries":
        """The programs in ``folder``. Raises ``ClusterError`` if one is missing."""
        if missing := _missing(folder):
            raise ClusterError(f"{folder} does not hold {', '.join(missing)}.")
        return cls(folder)

    @property
    def etcd(self) -> Path:
        """The program etcd."""
        return self.folder / "etcd"

    @property
    def api_server(self) -> Path:
        """The program kube-apiserver."""
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> Path:
        """The program kube-controller-manager."""
        return self.folder / "kube-controller-manager"


def kubernetes_version() -> str:
    """The version of Kubernetes that ``go.mod`` pins, such as ``1.37.1``."""
    found = re.search(r"^(?:require\s+|\t)k8s\.io/kubernetes v(\S+)", _text("go.mod"), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{_SOURCES / 'go.mod'} does not require k8s.io/kubernetes: restore it from Git.")
    return found.group(1)


def cache_folder() -> Path:
    """Where built programs are kept: a folder per version and per content of ``go.mod`` and ``go.sum``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256((_text("go.mod") + _text("go.sum")).encode()).hexdigest()[:12]
    return Path(home) / "apiclient-operator" / "cluster" / f"v{kubernetes_version()}-{digest}"


def find_binaries() -> Binaries | None:
    """The programs in ``KUBEBUILDER_ASSETS`` or in the cache, or None if they have to be built."""
    if assets := os.environ.get(_ASSETS):
        if not (missing := _missing(Path(assets))):
            return Binaries(Path(assets).absolute())
        report.line(f"{_ASSETS}={assets} is passed over: it does not hold {', '.join(missing)}.")
    cached = cache_folder()
    return None if _missing(cached) else Binaries(cached)


def ensure_binaries() -> Binaries:
    """The programs, built first if need be: that takes about 5 minutes on two cores and is told on standard error.

    Raises ``ClusterError`` if no Go tool chain is there or the build fails.
    """
    if found := find_binaries():
        return found
    target = cache_folder()
    with build.exclusively(target):
        if _missing(target):  # else another process has built them in the meantime
            build.build([build.Module(_SOURCES, PACKAGES)], target, kubernetes_version(), minutes=5)
    return Binaries.of(target)


def _missing(folder: Path) -> list[str]:
    return [name for name in NAMES if not os.access(folder / name, os.X_OK)]


def _text(name: str) -> str:
    return (_SOURCES / name).read_text()
