"""The command lines of etcd, kube-apiserver and kube-controller-manager."""

import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.binaries import Binaries
from cluster.errors import ClusterError
from cluster.pki import Pki

HOST = "127.0.0.1"
SERVICES = "10.0.0.0/24"  # the addresses of Services
ETCD = "etcd"
API_SERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"

# Below the range from which systems take the ports of outgoing connections. There, a client that keeps trying a stopped
# server's port can be connected to itself, and the server could not take its port again.
_PORTS = range(20000, 32000)
# Not the common generator: tests seed that, and two of them would choose the same ports.
_RANDOM = random.SystemRandom()

# Without nodes, only what works on objects: namespaces that end, garbage, default service accounts, aggregated roles,
# the type checks of admission policies, and what is used of quotas: without it the API server enforces none.
_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
    "validatingadmissionpolicy-status-controller",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of a cluster, all on 127.0.0.1."""

    etcd: int
    etcd_peer: int
    api: int


@dataclass(frozen=True, slots=True)
class Layout:
    """All that the command lines depend on."""

    folder: Path
    binaries: Binaries
    pki: Pki
    ports: Ports

    @property
    def controller_manager_kubeconfig(self) -> Path:
        """The kubeconfig of kube-controller-manager."""
        return self.folder / "controller-manager.kubeconfig"

    def log_file(self, name: str) -> Path:
        """The log of a program."""
        return self.folder / f"{name}.log"

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{HOST}:{self.ports.api}"


Command = Callable[[Layout], list[str]]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment.

    Raises ``ClusterError`` if 1000 tries find none.
    """
    for _ in range(1000):
        port = _RANDOM.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise ClusterError(f"No free port on {HOST} between {_PORTS.start} and {_PORTS.stop - 1}: end some servers there.")


def etcd_command(layout: Layout) -> list[str]:
    """How etcd is run: TLS on both ports, and only with a certificate of the cluster's own CA."""
    pki, ports = layout.pki, layout.ports
    client, peer = f"https://{HOST}:{ports.etcd}", f"https://{HOST}:{ports.etcd_peer}"
    command = [
        str(layout.binaries.etcd),
        "--name=local",
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        "--unsafe-no-fsync",  # the data is worth nothing after a power cut
        "--log-level=warn",
    ]
    for prefix in ("", "peer-"):
        command += [
            f"--{prefix}cert-file={pki.server.certificate}",
            f"--{prefix}key-file={pki.server.key}",
            f"--{prefix}trusted-ca-file={pki.ca}",
            f"--{prefix}client-cert-auth",
        ]
    return command


def api_server_command(layout: Layout) -> list[str]:
    """How kube-apiserver is run: as in a real cluster, on loopback."""
    pki, ports = layout.pki, layout.ports
    return [
        str(layout.binaries.api_server),
        f"--etcd-servers=https://{HOST}:{ports.etcd}",
        f"--etcd-cafile={pki.ca}",
        f"--etcd-certfile={pki.admin.certificate}",
        f"--etcd-keyfile={pki.admin.key}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={ports.api}",
        f"--cert-dir={layout.folder / 'api-server'}",
        f"--tls-cert-file={pki.server.certificate}",
        f"--tls-private-key-file={pki.server.key}",
        f"--client-ca-file={pki.ca}",
        "--authorization-mode=RBAC,Node",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        f"--service-cluster-ip-range={SERVICES}",
        "--endpoint-reconciler-type=none",
    ]


def controller_manager_command(layout: Layout) -> list[str]:
    """How kube-controller-manager is run: each controller under its own service account, as in a real cluster."""
    return [
        str(layout.binaries.controller_manager),
        f"--kubeconfig={layout.controller_manager_kubeconfig}",
        "--use-service-account-credentials=true",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
        # The default of 20 requests a second would make the end of a namespace with a thousand objects last a minute.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        # New kinds are found every 30 s. A quota that was made before then would count them 5 minutes later by default.
        "--resource-quota-sync-period=2s",
    ]
