"""NodeCluster: the local cluster with a node on which real pods run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from cluster.errors import ClusterError
from cluster.kubeconfig import certificate_user, verified_server, write_kubeconfig
from cluster.local import LocalCluster
from cluster.node import cgroups, programs
from cluster.node.binaries import NodeBinaries, ensure_node_binaries
from cluster.node.images import write_image
from cluster.node.network import READY_FILE
from cluster.node.programs import FORWARDER, NETWORK, NODE, PROXY, SCHEDULER, Node
from cluster.pki import NODE_NAME
from cluster.probe import listens
from cluster.process import children, wait_until_gone
from cluster.programs import API_SERVER, CONTROLLER_MANAGER, ETCD, Command, etcd_command

_NODE_SECONDS = 120.0
_IMPORT_SECONDS = 300.0
_END_SECONDS = 20.0


class NodeCluster(LocalCluster):
    """The local cluster with a node: kubelet, containerd, kube-proxy, kube-scheduler, all controllers; no DNS.

    It needs root on Linux. All of it is in a network of its own, and containerd, kubelet and all pods are in mount,
    PID, UTS and IPC namespaces of their own: nothing of the machine is changed but one group in its cgroups, which goes
    with the cluster. The API server is reached through a forwarder, under the same URL as without a node.
    """

    provider: ClassVar[str] = "node"
    commands: ClassVar[Mapping[str, Command]] = {
        ETCD: etcd_command,
        API_SERVER: programs.node_api_server_command,
        CONTROLLER_MANAGER: programs.node_controller_manager_command,
    }

    _node_binaries: NodeBinaries | None = None

    def start(self) -> None:
        """Start it; return when the node is ready (about 15 s).

        The first start on a machine builds the programs, which takes minutes and is told on standard error.
        Raises ``ClusterError`` that says what is wrong, with the end of the log concerned.
        """
        self._node_binaries = ensure_node_binaries()
        super().start()

    def load_image(self, archive: Path) -> None:
        """Give the node an image: an archive of Docker's or OCI's format that names it.

        Raises ``ClusterError`` if it cannot be read.
        """
        self.ctr("images", "import", str(archive.absolute()))

    def kill_container(self, container_id: str) -> None:
        """End a container at once, as in a crash. The kubelet starts it again. Raises ``ClusterError``."""
        self.ctr("tasks", "kill", "--signal=SIGKILL", container_id.removeprefix("containerd://"))

    def ctr(self, *arguments: str) -> str:
        """Run containerd's command line; returns what it prints. Raises ``ClusterError`` if it fails."""
        node = self._node
        command = [str(node.binaries["ctr"]), f"--address={node.socket}", "--namespace=k8s.io", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_IMPORT_SECONDS)
        if done.returncode != 0:
            raise ClusterError(f"ctr {' '.join(arguments)} failed: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def stop(self, *, remove: bool = False) -> None:
        """End all its programs and pods; remove its folder if that is temporary or ``remove`` is set."""
        if self._layout is None:
            return super().stop(remove=remove)
        inside = children(self._program(NODE).pid)
        for name in (NODE, PROXY, SCHEDULER):
            self._program(name).stop()
        for pid in inside:  # process 1 of the node: it is gone once all pods are
            wait_until_gone(pid, _END_SECONDS)
        cgroups.remove(self._node.cgroup)
        outside = [self._program(name) for name in (FORWARDER, NETWORK)]
        super().stop(remove=remove)
        for program in outside:
            program.stop()
        return None

    # Inside

    @property
    def _node(self) -> Node:
        if self._node_binaries is None:
            self._node_binaries = ensure_node_binaries()
        return Node(self._started.folder, self._node_binaries)

    def _start_programs(self) -> None:
        node = self._node
        self._write_node_files()
        (node.folder / READY_FILE).unlink(missing_ok=True)
        self._start_program(NETWORK, programs.network_command(node), (node.folder / READY_FILE).exists)
        self._on_free_ports(self._start_forwarder, "etcd", "api")
        super()._start_programs()
        self._start_program(SCHEDULER, self._inside(programs.scheduler_command(node)), lambda: True)
        self._start_program(PROXY, self._inside(programs.proxy_command(node)), lambda: True)
        self._start_node()

    def _inside(self, command: list[str]) -> list[str]:
        """``command`` as it is run where the cluster is: in its own network."""
        return programs.entering(self._network_pid, command)

    @property
    def _network_pid(self) -> int:
        pid = self._program(NETWORK).pid
        if pid is None:
            raise ClusterError(f"The network of the node is gone. The end of {self.log_file(NETWORK)} may say why.")
        return pid

    def _start_forwarder(self) -> None:
        layout = self._started
        command = programs.forwarder_command(self._node, self._network_pid, layout)
        self._start_program(FORWARDER, command, lambda: listens(layout.ports.api))

    def _start_node(self) -> None:
        node = self._node
        cgroups.make(node.cgroup)
        node.socket.unlink(missing_ok=True)
        self._start_program(NODE, self._inside(programs.node_command(node)), node.socket.exists)
        self._import_pause()
        self._program(NODE).wait_until(self._node_is_ready, _NODE_SECONDS)

    def _import_pause(self) -> None:
        archive = self._node.folder / "pause.tar"
        write_image(self._node.binaries["pause"], programs.PAUSE_IMAGE, archive)
        self.load_image(archive)

    def _node_is_ready(self) -> bool:
        path = "{.status.conditions[?(@.type=='Ready')].status}"
        told = self.kubectl("get", "node", NODE_NAME, f"--output=jsonpath={path}", check=False)
        return told.stdout == "True"

    def _write_node_files(self) -> None:
        node, layout = self._node, self._started
        server = verified_server(layout.server, layout.pki.ca)
        users = {SCHEDULER: layout.pki.scheduler, PROXY: layout.pki.proxy, "kubelet": layout.pki.kubelet}
        for name, pair in users.items():
            write_kubeconfig(node.kubeconfig(name), server, certificate_user(pair))
        programs.write_configs(node, layout)
