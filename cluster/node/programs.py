"""The command lines of the node's programs, and the files that they read. JSON is YAML, so they read it."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.node.binaries import SYSTEM_PATH, NodeBinaries, find_system_program
from cluster.node.network import BRIDGE
from cluster.pki import NODE_ADDRESS as ADDRESS
from cluster.pki import NODE_NAME
from cluster.programs import SERVICES, Layout, api_server_command, controller_manager_command

NETWORK = "network"
FORWARDER = "forwarder"
SCHEDULER = "kube-scheduler"
PROXY = "kube-proxy"
NODE = "node"

PODS = "10.244.0.0/24"
PAUSE_IMAGE = "localhost/pause:1"

_HERE = Path(__file__).resolve().parent
_RUNTIME = "plugins.'io.containerd.cri.v1.runtime'"
_IMAGES = "plugins.'io.containerd.cri.v1.images'"


@dataclass(frozen=True, slots=True)
class Node:
    """What the command lines of the node depend on, beside the cluster's ``Layout``."""

    folder: Path
    binaries: NodeBinaries

    @property
    def cgroup(self) -> str:
        """The node's own part of the cgroups: a name that belongs to the folder."""
        return f"apiclients-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.folder / "containerd.sock"

    def kubeconfig(self, name: str) -> Path:
        """The kubeconfig of one of the node's programs."""
        return self.folder / f"{name}.kubeconfig"

    def config(self, name: str) -> Path:
        """The configuration of one of them."""
        return self.folder / f"{name}.config"


def network_command(node: Node) -> list[str]:
    """How the node's network is made and held."""
    return [_system("unshare"), "--net", *_script("network.py"), str(node.folder), ADDRESS, SERVICES]


def forwarder_command(node: Node, network_pid: int, layout: Layout) -> list[str]:
    """How this machine reaches etcd and the API server inside."""
    ports = (layout.ports.etcd, layout.ports.api)
    return [*_script("forward.py"), str(node.folder), str(network_pid), *map(str, ports)]


def entering(network_pid: int, command: list[str]) -> list[str]:
    """``command``, run in the node's network; its process id is the command's own."""
    return [_system("nsenter"), f"--net=/proc/{network_pid}/ns/net", "--", *command]


def node_api_server_command(layout: Layout) -> list[str]:
    """The API server as without a node, but for pods and with a kubelet. Of a flag given twice the last one counts."""
    admin = layout.pki.admin
    return [
        *api_server_command(layout),
        "--bind-address=0.0.0.0",
        f"--advertise-address={ADDRESS}",
        "--endpoint-reconciler-type=lease",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={admin.certificate}",
        f"--kubelet-client-key={admin.key}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def node_controller_manager_command(layout: Layout) -> list[str]:
    """All controllers; pods verify the API server by the cluster's authority."""
    return [*controller_manager_command(layout), "--controllers=*", f"--root-ca-file={layout.pki.ca}"]


def scheduler_command(node: Node) -> list[str]:
    """How kube-scheduler is run."""
    kubeconfig = f"--kubeconfig={node.kubeconfig(SCHEDULER)}"
    return [str(node.binaries[SCHEDULER]), kubeconfig, "--leader-elect=false", "--secure-port=0"]


def proxy_command(node: Node) -> list[str]:
    """How kube-proxy is run."""
    return [str(node.binaries[PROXY]), f"--config={node.config(PROXY)}", f"--hostname-override={NODE_NAME}"]


def node_command(node: Node) -> list[str]:
    """How containerd and kubelet are run, in their own namespaces: killed, it takes all pods along."""
    namespaces = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc")
    return [_system("unshare"), *namespaces, *_script("init.py"), str(node.config(NODE))]


def write_configs(node: Node, layout: Layout) -> None:
    """Write all that they read. Raises ``OSError``."""
    node.config(NODE).write_text(json.dumps(_init_config(node)))
    node.config("containerd").write_text(_containerd_config(node))
    node.config("kubelet").write_text(json.dumps(_kubelet_config(node, layout)))
    node.config(PROXY).write_text(json.dumps(_proxy_config(node)))
    (node.folder / "resolv.conf").write_text("")  # no DNS: programs find Services by their addresses
    networks = node.folder / "networks"
    networks.mkdir(exist_ok=True)
    (networks / "pods.conflist").write_text(json.dumps(_network_config(node)))


def _init_config(node: Node) -> dict[str, Any]:
    kubelet = [
        str(node.binaries["kubelet"]),
        f"--config={node.config('kubelet')}",
        f"--kubeconfig={node.kubeconfig('kubelet')}",
        f"--root-dir={node.folder / 'kubelet'}",
        f"--cert-dir={node.folder / 'kubelet-pki'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={ADDRESS}",
    ]
    return {
        "folder": str(node.folder),
        "environment": {"PATH": f"{node.binaries.folder}:{SYSTEM_PATH}", "HOME": "/"},
        "programs": [
            ["containerd", str(node.binaries["containerd"]), f"--config={node.config('containerd')}"],
            ["kubelet", *kubelet],
        ],
    }


def _containerd_config(node: Node) -> str:
    return f"""version = 3
root = "{node.folder / "containerd"}"
state = "/run/containerd"
[grpc]
  address = "{node.socket}"
[{_IMAGES}]
  snapshotter = "overlayfs"
[{_IMAGES}.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[{_RUNTIME}]
  restrict_oom_score_adj = true
[{_RUNTIME}.cni]
  bin_dirs = ["{node.binaries.folder}"]
  conf_dir = "{node.folder / "networks"}"
[{_RUNTIME}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{_RUNTIME}.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def _kubelet_config(node: Node, layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki.ca)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "resolvConf": str(node.folder / "resolv.conf"),
        "podLogsDir": str(node.folder / "pods"),
        # A full disk of the machine is none of the pods' business.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def _proxy_config(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(node.kubeconfig(PROXY))},
        "mode": "nftables",
        "clusterCIDR": PODS,
        # Left as they are: a network of its own may not set them.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _network_config(node: Node) -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": PODS, "gateway": ADDRESS}]],
            "dataDir": str(node.folder / "addresses"),
        },
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def _script(name: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(_HERE / name)]


def _system(name: str) -> str:
    return find_system_program(name) or name
