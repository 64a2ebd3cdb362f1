"""What all clusters have in common, whoever provides them."""

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.kubeconfig import DEFAULT_TIMEOUT, run_kubectl, view, write_kubeconfig
from cluster.pki import write_private


class Cluster(ABC):
    """A cluster to test or demonstrate against. As a context manager it is started on entry and stopped on exit."""

    @abstractmethod
    def start(self) -> None:
        """Start it, or connect to it; return when the API server is ready.

        Raises ``ClusterError`` that says what is wrong.
        """

    @abstractmethod
    def stop(self, *, remove: bool = False) -> None:
        """End what ``start`` started; remove its folder if that is temporary or ``remove`` is set. Twice is as once."""

    @abstractmethod
    def detach(self) -> None:
        """Let it run on when this Python process ends. Raises ``ClusterError`` if its folder is temporary."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""

    @property
    @abstractmethod
    def data_dir(self) -> Path:
        """The folder with everything of this cluster."""

    @property
    @abstractmethod
    def server(self) -> str:
        """The URL of the API server."""

    @property
    @abstractmethod
    def ca_file(self) -> Path:
        """The certificates, as PEM, by which the API server's certificate is verified."""

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of an administrator; TLS is verified."""
        return self.data_dir / "kubeconfig"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,
        check: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the real kubectl as an administrator, or with another ``kubeconfig``; ``timeout`` in seconds.

        Raises ``KubectlError`` if it fails and ``check`` is set, and ``ClusterError`` if it does not end in time.
        """
        return run_kubectl(kubeconfig or self.kubeconfig, arguments, input=input, check=check, timeout=timeout)

    def service_account_kubeconfig(
        self, namespace: str, name: str, path: Path | None = None, duration: str = "8h"
    ) -> Path:
        """Write a kubeconfig that acts as a service account, with a token good for ``duration`` (such as ``8h``).

        The token is in a file next to it (``<path>.token``). Without ``path`` both are kept in the cluster's folder.
        Raises ``KubectlError`` if the service account does not exist or a token is refused.
        """
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", f"--duration={duration}").stdout
        path = path or self.data_dir / "accounts" / f"{namespace}.{name}.kubeconfig"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        token_file = path.absolute().with_name(path.name + ".token")
        write_private(token_file, token.strip().encode())
        cluster = view(self.kubeconfig)["clusters"][0]["cluster"]
        return write_kubeconfig(path, cluster, {"tokenFile": str(token_file)}, namespace=namespace)
