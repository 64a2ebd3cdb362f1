"""Clusters that others provide: kind, and a context of the user's own kubeconfig. Neither is taken unless named."""

import base64
import contextlib
import secrets
import shutil
import ssl
import subprocess
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

from cluster.errors import ClusterError
from cluster.interface import Cluster
from cluster.kubeconfig import run_kubectl, view
from cluster.local import LocalCluster
from cluster.node.cluster import NodeCluster
from cluster.pki import write_private
from cluster.state import make_folder, read_state, write_state

PROVIDERS = ("local", "kind", "existing")

_KIND_SECONDS = 600.0


class _ProvidedCluster(Cluster):
    """A cluster whose kubeconfig comes from elsewhere and is kept in a folder of ours."""

    def __init__(self, data_dir: Path | None) -> None:
        self._given = data_dir.absolute() if data_dir else None
        self._folder = self._given if self._given and read_state(self._given) else None

    @property
    def data_dir(self) -> Path:
        """The folder with the kubeconfig."""
        if self._folder is None:
            raise ClusterError("The cluster has not been started: call start(), or use it in a `with` statement.")
        return self._folder

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._described()["server"])

    @property
    def ca_file(self) -> Path:
        """The certificates by which the API server's is verified: the context's own, else those of the system."""
        if data := self._described().get("certificate-authority-data"):
            write_private(self.data_dir / "ca.crt", base64.b64decode(data))
            return self.data_dir / "ca.crt"
        if system := ssl.get_default_verify_paths().cafile:
            return Path(system)
        raise ClusterError("The context names no certificate authority, and the system's are in no single file.")

    def detach(self) -> None:
        """It runs on in any case. Raises ``ClusterError`` if its folder is temporary."""
        if self._given is None:
            raise ClusterError("A cluster in a temporary folder cannot be left running: give it a data_dir.")

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def stop(self, *, remove: bool = False) -> None:  # noqa: ARG002 (its folder never outlives it)
        """End what ``start`` started, and remove its folder, which is worth nothing without it."""
        if self._folder is not None:
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @abstractmethod
    def _end(self) -> None: ...

    def _described(self) -> dict[str, Any]:
        described: dict[str, Any] = view(self.kubeconfig)["clusters"][0]["cluster"]
        return described


class KindCluster(_ProvidedCluster):
    """A cluster of kind, in which pods run; it needs the programs kind and docker."""

    def __init__(self, data_dir: Path | None = None, *, name: str | None = None) -> None:
        """Prepare a cluster that kind calls ``name`` (default: a new name of ours)."""
        super().__init__(data_dir)
        remembered = read_state(self._folder) if self._folder else None
        self.name = name or (remembered or {}).get("name") or f"apiclient-{secrets.token_hex(3)}"

    def start(self) -> None:
        """Create it with kind; return when its node is ready (a minute or more).

        Raises ``ClusterError`` if kind or docker is missing or kind fails.
        """
        missing = [program for program in ("kind", "docker") if shutil.which(program) is None]
        if missing:
            raise ClusterError(
                f"The provider kind needs {' and '.join(missing)} on PATH (https://kind.sigs.k8s.io): "
                "install what is missing, or use the provider local, which needs neither."
            )
        self._folder = make_folder(self._given, "kind")
        write_state(self._folder, "kind", name=self.name)
        try:
            self._kind("create", "cluster", "--wait=5m")
        except BaseException:
            with contextlib.suppress(ClusterError):  # the first error is the one to tell
                self.stop()
            raise

    def _end(self) -> None:
        self._kind("delete", "cluster")

    def _kind(self, *arguments: str) -> None:
        command = ["kind", *arguments, f"--name={self.name}", f"--kubeconfig={self.kubeconfig}"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_KIND_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClusterError(f"kind {' '.join(arguments)} did not work: {error}") from error
        if result.returncode != 0:
            raise ClusterError(f"kind {' '.join(arguments)} failed:\n{result.stderr.strip()}")


class ExistingCluster(_ProvidedCluster):
    """The cluster of one context of the user's kubeconfig, which must be named. It is never started or stopped."""

    def __init__(self, context: str, data_dir: Path | None = None) -> None:
        """Prepare to use ``context``."""
        super().__init__(data_dir)
        self.context = context

    @classmethod
    def attach(cls, data_dir: Path) -> Self:
        """The context that ``up`` has taken. Raises ``ClusterError`` if there is none in that folder."""
        state = read_state(data_dir)
        if state is None or state["provider"] != "existing":
            raise ClusterError(f"No existing cluster is used in {data_dir}.")
        return cls(state["context"], data_dir)

    def start(self) -> None:
        """Take a kubeconfig of that context alone out of the user's, and check that the API server answers.

        Raises ``ClusterError`` if the context does not exist, does not verify TLS, or the API server does not answer.
        """
        arguments = ("config", "view", "--minify", "--flatten", "--raw", f"--context={self.context}")
        content = run_kubectl(None, arguments).stdout
        if view(None, context=self.context)["clusters"][0]["cluster"].get("insecure-skip-tls-verify"):
            raise ClusterError(f"The context {self.context} does not verify TLS: give it its certificate authority.")
        self._folder = make_folder(self._given, "existing")
        write_state(self._folder, "existing", context=self.context)
        try:
            write_private(self.kubeconfig, content.encode())
            self.kubectl("get", "--raw", "/readyz")
        except BaseException:
            self.stop()
            raise

    def _end(self) -> None:
        """The cluster is the user's: nothing in it is touched."""


def open_cluster(
    provider: str = "local", data_dir: Path | None = None, *, context: str | None = None, node: bool = False
) -> Cluster:
    """A cluster of ``local``, ``kind`` or ``existing`` (which needs ``context``), not started yet.

    ``node`` gives the local one a node for real pods; kind's have one anyway. Raises ``ClusterError`` if the provider
    is unknown, or the context is missing or not needed.
    """
    if provider == "existing":
        if not context:
            raise ClusterError("The provider existing needs --context NAME: no cluster is used without being named.")
        return ExistingCluster(context, data_dir)
    if context:
        raise ClusterError(f"--context goes with --provider existing, not with {provider}.")
    if provider == "kind":
        return KindCluster(data_dir)
    if provider == "local":
        return NodeCluster(data_dir) if node else LocalCluster(data_dir)
    raise ClusterError(f"There is no provider {provider}: use one of {', '.join(PROVIDERS)}.")


def attach_cluster(data_dir: Path) -> Cluster:
    """The cluster that ``up`` has left in ``data_dir``, whoever provides it.

    Raises ``ClusterError`` if there is none.
    """
    state = read_state(data_dir)
    if state is None:
        raise ClusterError(f"There is no cluster in {data_dir}. `python -m cluster up` starts one.")
    if state["provider"] == "existing":
        return ExistingCluster.attach(data_dir)
    if state["provider"] == NodeCluster.provider:
        return NodeCluster.attach(data_dir)
    return KindCluster(data_dir) if state["provider"] == "kind" else LocalCluster.attach(data_dir)
