"""LocalCluster: etcd, kube-apiserver and kube-controller-manager as processes of this machine."""

import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar, Self

from cluster.binaries import Binaries, ensure_binaries
from cluster.errors import ClusterError, PortTakenError
from cluster.interface import Cluster
from cluster.kubeconfig import certificate_user, verified_server, write_kubeconfig
from cluster.pki import ensure_pki, make_certificates
from cluster.probe import Probe
from cluster.process import Program, Watchdog
from cluster.programs import (
    API_SERVER,
    CONTROLLER_MANAGER,
    ETCD,
    HOST,
    Command,
    Layout,
    Ports,
    api_server_command,
    controller_manager_command,
    etcd_command,
    free_port,
)
from cluster.state import make_folder, read_state, write_state

_START_SECONDS = 90.0
_PORT_TRIES = 5
#: kube-controller-manager waits 10 s for an API server that is healthy, and then ends with these words.
_CONTROLLER_MANAGER_TRIES = 6
_NOT_HEALTHY = "failed to wait for apiserver being healthy"
_ETCD_GRACE_SECONDS = 5.0


class LocalCluster(Cluster):
    """A real API server with its etcd and the controllers that work without nodes, on loopback, with its own CA.

    Any number of them run side by side. As a context manager it is started on entry and stopped on exit; should the
    Python process die without an exit, even by SIGKILL, the programs end all the same. Not for use by several threads
    at once.
    """

    provider: ClassVar[str] = "local"
    commands: ClassVar[Mapping[str, Command]] = {
        ETCD: etcd_command,
        API_SERVER: api_server_command,
        CONTROLLER_MANAGER: controller_manager_command,
    }

    def __init__(
        self, data_dir: Path | None = None, *, etcd_port: int = 0, api_port: int = 0, binaries: Binaries | None = None
    ) -> None:
        """Prepare a cluster that keeps everything in ``data_dir``; nothing is started or written yet.

        Without ``data_dir`` it is a temporary folder, removed by ``stop``. A given folder is kept and can be started
        again with the same data, keys and ports. A port of 0 means a free one. ``binaries`` are found, or built, by
        ``start`` unless given.
        """
        self._given = data_dir.absolute() if data_dir else None
        self._fixed = {"etcd": etcd_port, "etcd_peer": 0, "api": api_port}
        self._binaries = binaries
        self._layout: Layout | None = None
        self._watchdog: Watchdog | None = None
        self._programs: dict[str, Program] = {}

    @classmethod
    def attach(cls, data_dir: Path) -> Self:
        """The cluster that another process has started in ``data_dir`` and left running, or that was stopped since.

        Raises ``ClusterError`` if there is no local cluster in that folder.
        """
        state = read_state(data_dir)
        if state is None or state["provider"] != cls.provider:
            raise ClusterError(f"There is no {cls.provider} cluster in {data_dir}. `python -m cluster up` starts one.")
        binaries = Binaries.of(Path(state["binaries"]))
        cluster = cls(data_dir, binaries=binaries)
        cluster._layout = _layout(data_dir.absolute(), binaries, Ports(**state["ports"]))
        for name, pid in state["pids"].items():
            cluster._program(name).adopt(pid, mark=str(cluster.data_dir))
        return cluster

    # What it is

    @property
    def data_dir(self) -> Path:
        """The folder with everything of this cluster. Like all that follows it is there once the cluster is started."""
        return self._started.folder

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._started.server

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed the API server's certificate, as PEM."""
        return self._started.pki.ca

    @property
    def api_server_pid(self) -> int | None:
        """The process id of kube-apiserver, or None when it does not run."""
        return self._program(API_SERVER).pid

    @property
    def etcd_pid(self) -> int | None:
        """The process id of etcd, or None when it does not run."""
        return self._program(ETCD).pid

    @property
    def etcd_server(self) -> str:
        """The URL of etcd, which takes the certificates of the cluster's own authority."""
        return f"https://{HOST}:{self._started.ports.etcd}"

    def pids(self) -> dict[str, int]:
        """The process ids of the programs that run, by name."""
        return {name: pid for name, program in self._programs.items() if (pid := program.pid) is not None}

    def log_file(self, name: str) -> Path:
        """The log of ``etcd``, ``kube-apiserver`` or ``kube-controller-manager``."""
        return self._started.log_file(name)

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return self._answers(self._started.ports.api, "/readyz")

    # Its life

    def start(self) -> None:
        """Start it; return when the API server is ready and ``default`` and its service account exist (about 3 s).

        The first start on a machine builds the programs, which takes minutes and is told on standard error.
        Raises ``ClusterError`` that says what is wrong, with the end of the log concerned.
        """
        self._refuse_second_start()
        binaries = self._binaries or ensure_binaries()
        folder = make_folder(self._given, self.provider)
        try:
            self._watchdog = Watchdog(remove=None if self._given else folder)
            self._layout = _layout(folder, binaries, self._choose_ports(folder))
            self._write_files()
            self._start_programs()
        except BaseException:
            self.stop()
            if self._given is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise

    def stop(self, *, remove: bool = False) -> None:
        """End all its programs; remove its folder if that is temporary or ``remove`` is set. Twice is as once."""
        remove = remove or self._given is None
        self._program(CONTROLLER_MANAGER).stop()
        self._program(API_SERVER).stop()
        self._program(ETCD).stop(grace=0 if remove else _ETCD_GRACE_SECONDS)
        self._release()
        self._programs.clear()
        if self._layout is not None and remove:
            shutil.rmtree(self._layout.folder, ignore_errors=True)
            self._layout = None
        elif self._layout is not None:
            self._write_state()

    def detach(self) -> None:
        """Let the programs run on when this Python process ends; ``attach`` finds them again.

        Raises ``ClusterError`` if the folder is temporary.
        """
        if self._given is None:
            raise ClusterError("A cluster in a temporary folder cannot be left running: give it a data_dir.")
        self._release()

    # Its parts, to be stopped and started again in tests of faults

    def start_etcd(self) -> None:
        """Start etcd, with the port and data it had; return when it is healthy."""
        self._run(ETCD, lambda: self._answers(self._started.ports.etcd, "/health"))

    def stop_etcd(self) -> None:
        """End etcd at once, as in a crash; its data stay."""
        self._program(ETCD).stop()

    def start_api_server(self) -> None:
        """Start kube-apiserver, with the port and data it had; return when it is ready."""
        self._run(API_SERVER, self.is_ready)

    def stop_api_server(self, grace: float = 0.0) -> None:
        """End kube-apiserver at once, as in a crash, or asked to first and given ``grace`` seconds."""
        self._program(API_SERVER).stop(grace)

    def pause_api_server(self) -> None:
        """Freeze kube-apiserver: connections stay open and nothing answers."""
        self._program(API_SERVER).signal(signal.SIGSTOP)

    def resume_api_server(self) -> None:
        """Let a frozen kube-apiserver go on."""
        self._program(API_SERVER).signal(signal.SIGCONT)

    def start_controller_manager(self) -> None:
        """Start kube-controller-manager; return when the service account of ``default`` exists.

        If it gives up on an API server that is slow to become healthy it is started again, as a kubelet would.
        """
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        for tries_left in reversed(range(_CONTROLLER_MANAGER_TRIES)):
            try:
                self._run(CONTROLLER_MANAGER, lambda: self._answers(self._started.ports.api, path))
            except ClusterError:
                if not tries_left or _NOT_HEALTHY not in self._program(CONTROLLER_MANAGER).log_tail():
                    raise
            else:
                return

    def stop_controller_manager(self) -> None:
        """End kube-controller-manager: from then on nothing is garbage-collected and no namespace ends."""
        self._program(CONTROLLER_MANAGER).stop()

    def rotate_certificates(self) -> None:
        """Start everything anew with a new CA; return when the API server is ready.

        No certificate from before is good any more, nor any kubeconfig but the administrator's; tokens stay good.
        """
        self.stop_controller_manager()
        self.stop_api_server()
        self.stop_etcd()
        make_certificates(self._started.pki)
        self._write_files()
        self.start_etcd()
        self.start_api_server()
        self.start_controller_manager()

    # Inside

    @property
    def _started(self) -> Layout:
        if self._layout is None:
            raise ClusterError("The cluster has not been started: call start(), or use it in a `with` statement.")
        return self._layout

    def _program(self, name: str) -> Program:
        if name not in self._programs:
            if self._layout is None:
                return Program(name, Path())  # one that does not run
            self._programs[name] = Program(name, self._layout.log_file(name))
        return self._programs[name]

    def _start_programs(self) -> None:
        self._on_free_ports(self.start_etcd, "etcd", "etcd_peer")
        self._on_free_ports(self.start_api_server, "api")
        self.start_controller_manager()

    def _run(self, name: str, ready: Callable[[], bool]) -> None:
        self._start_program(name, self._inside(self.commands[name](self._started)), ready)

    def _inside(self, command: list[str]) -> list[str]:
        """``command`` as it is run where the cluster is: on this machine as it is."""
        return command

    def _start_program(self, name: str, command: list[str], ready: Callable[[], bool]) -> None:
        program = self._program(name)
        if program.pid is not None:
            raise ClusterError(f"{name} runs already (process {program.pid}).")
        program.start(command, group=self._watchdog.group if self._watchdog else 0)
        self._write_state()
        program.wait_until(ready, _START_SECONDS)

    def _answers(self, port: int, path: str) -> bool:
        return Probe(self._started.pki).ok(port, path)

    def _release(self) -> None:
        if self._watchdog is not None:
            self._watchdog.release()
            self._watchdog = None

    def _refuse_second_start(self) -> None:
        """Raise ``ClusterError`` if it runs, be it by another process."""
        running = self.pids()
        if not running and self._given and (read_state(self._given) or {}).get("provider") == self.provider:
            running = type(self).attach(self._given).pids()
        if running:
            raise ClusterError(f"A cluster runs in {self._given or self.data_dir} already: {running}.")

    def _choose_ports(self, folder: Path) -> Ports:
        remembered = (read_state(folder) or {}).get("ports", {})
        return Ports(**{name: port or remembered.get(name) or free_port() for name, port in self._fixed.items()})

    def _on_free_ports(self, start: Callable[[], None], *names: str) -> None:
        """Call ``start``, with other ports for ``names`` if theirs have been taken in the meantime."""
        for tries_left in reversed(range(_PORT_TRIES)):
            try:
                return start()
            except PortTakenError:
                free = {name: free_port() for name in names if not self._fixed[name]}
                if not free or not tries_left:
                    raise
                self._layout = replace(self._started, ports=replace(self._started.ports, **free))
                self._write_files()
        raise AssertionError  # the last try returns or raises

    def _write_files(self) -> None:
        layout = self._started
        server = verified_server(layout.server, layout.pki.ca)
        write_kubeconfig(self.kubeconfig, server, certificate_user(layout.pki.admin))
        manager = certificate_user(layout.pki.controller_manager)
        write_kubeconfig(layout.controller_manager_kubeconfig, server, manager)
        self._write_state()

    def _write_state(self) -> None:
        layout = self._started
        values = {"binaries": str(layout.binaries.folder), "ports": asdict(layout.ports), "pids": self.pids()}
        write_state(layout.folder, self.provider, **values)


def _layout(folder: Path, binaries: Binaries, ports: Ports) -> Layout:
    return Layout(folder, binaries, ensure_pki(folder / "pki"), ports)
