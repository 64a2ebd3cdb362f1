"""What a demonstration or a cluster test needs around a cluster: operator, gates, an API and a gateway as processes.

Operator and gate run with the tokens of their own service accounts under the roles in ``manifests/``, so a right that
is missing there is found here.
"""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from apiclients.kube.kinds import INSTALLED_KINDS
from apiclients.resources.names import GROUP
from cluster import Cluster
from cluster.kubeconfig import find_kubectl
from cluster.pki import ensure_pki
from cluster.programs import free_port
from demo.calls import Credentials
from demo.service import Service
from examples.gateways.render import NGINX, Places

ROOT = Path(__file__).resolve().parent.parent
SYSTEM_NAMESPACE = "apiclients-system"
PLAN_ACCOUNT = "apiclient-plan"


class Stage:
    """Everything that runs beside the cluster. As a context manager it stops all of it on exit."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        """``folder`` takes logs, kubeconfigs and the files of nginx."""
        self.cluster = cluster
        self.folder = folder
        self.services: list[Service] = []
        self._gate_ports: defaultdict[int, int] = defaultdict(free_port)
        self._kubeconfigs: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def issuer(self) -> str:
        """The issuer of all tokens: the address of the first gate."""
        return self.gate_url(0)

    def gate_url(self, number: int) -> str:
        """Where a gate listens."""
        return f"http://127.0.0.1:{self._gate_ports[number]}"

    def install(self) -> None:
        """Apply CRD, roles and flow control, as a user would. Raises KubectlError."""
        self.cluster.kubectl("apply", "-k", str(ROOT / "manifests" / "control"))
        crds = [f"crd/{kind.plural}.{GROUP}" for kind in INSTALLED_KINDS]
        self.cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *crds)

    def account(self, name: str) -> Path:
        """A kubeconfig of a service account of the project."""
        if name not in self._kubeconfigs:
            path = self.folder / f"{name}.kubeconfig"
            self._kubeconfigs[name] = self.cluster.service_account_kubeconfig(SYSTEM_NAMESPACE, name, path)
        return self._kubeconfigs[name]

    def operator(
        self,
        name: str = "operator",
        *,
        kubeconfig: Path | None = None,
        options: Sequence[str] = (),
        package: Path | None = None,
    ) -> Service:
        """An operator process, not started yet; ``package`` is the folder of another release's Python package."""
        port = free_port()
        command = [
            *_program("apiclient-operator"),
            *("--issuer", self.issuer),
            *("--kubeconfig", str(kubeconfig or self.account("apiclient-operator"))),
            *("--http-host", "127.0.0.1", "--http-port", str(port)),
            *("--identity", f"{name}-{port}"),
            *("--min-lifetime-seconds", "1"),  # what takes months takes seconds here
            *options,
        ]
        log = self.folder / f"{name}.log"
        return self._add(Service(name, command, log, ready_url=_ready(port), environment=_of_release(package)))

    def gate(
        self,
        number: int,
        *,
        kubeconfig: Path | None = None,
        options: Sequence[str] = (),
        package: Path | None = None,
    ) -> Service:
        """A gate process, not started yet; ``package`` is the folder of another release's Python package."""
        port = self._gate_ports[number]
        command = [
            *_program("apiclient-gate"),
            *("--issuer", self.issuer),
            *("--kubeconfig", str(kubeconfig or self.account("apiclient-gate"))),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--replica-name", f"gate-{number}-{port}"),
            *options,
        ]
        name, environment = f"gate-{number}", _of_release(package)
        log = self.folder / f"{name}.log"
        return self._add(Service(name, command, log, ready_url=_ready(port), environment=environment))

    def gateway(
        self, gates: Sequence[int] = (0, 1), *, api: tuple[str, str] | None = None
    ) -> tuple[str, list[Service]]:
        """A small API behind a real nginx that asks these gates; returns nginx's URL and both services.

        Without ``api`` every good token passes, with it those of clients with a contract for that Api.
        """
        api_port, port, prefix = free_port(), free_port(), self.folder / f"nginx-{free_port()}"
        prefix.mkdir()
        NGINX.write(
            Places(
                listen=f"127.0.0.1:{port}",
                gates=[f"127.0.0.1:{self._gate_ports[number]}" for number in gates],
                upstream=f"127.0.0.1:{api_port}",
                folder=prefix,
                api=api,
            )
        )
        api_command = [sys.executable, "-m", "demo.orders_api", str(api_port)]
        backend = Service(
            "orders-api",
            api_command,
            self.folder / "orders-api.log",
            ready_url=f"http://127.0.0.1:{api_port}/healthz",
            environment={"PYTHONPATH": str(ROOT)},
        )
        nginx = Service("nginx", NGINX.command(prefix), self.folder / "nginx.log")
        return f"http://127.0.0.1:{port}", [self._add(backend), self._add(nginx)]

    def foreign_issuer(self) -> tuple[int, Path]:
        """Start an issuer of somebody else; returns its port, and the certificate of its authority."""
        port, folder = free_port(), self.folder / "issuer"
        command = [sys.executable, "-m", "demo.issuer", str(port), str(folder)]
        service = Service("issuer", command, self.folder / "issuer.log", environment={"PYTHONPATH": str(ROOT)})
        self._add(service).start()
        return port, ensure_pki(folder).ca

    def credentials(self, namespace: str, secret: str) -> Credentials:
        """What is in a credentials Secret."""
        data = self.get("secret", namespace, secret)["data"]
        values = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return Credentials(values["client-id"], values["client-secret"], values["token-endpoint"])

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        """One object. Raises KubectlError."""
        answer: dict[str, Any] = json.loads(
            self.cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json").stdout
        )
        return answer

    def plan_account(self) -> None:
        """Make the account with which CI plans, with the role of pipelines/ and no other right."""
        self.cluster.kubectl("apply", "-f", str(ROOT / "pipelines" / "plan-role.yaml"))
        self.cluster.kubectl("create", "serviceaccount", PLAN_ACCOUNT, "-n", SYSTEM_NAMESPACE)
        subject = f"--serviceaccount={SYSTEM_NAMESPACE}:{PLAN_ACCOUNT}"
        self.cluster.kubectl("create", "clusterrolebinding", PLAN_ACCOUNT, "--clusterrole=apiclient-plan", subject)
        # Plans name the context that they looked at.
        self.cluster.kubectl("config", "rename-context", "context", "demo", kubeconfig=self.account(PLAN_ACCOUNT))

    def plugin(self, *words: str, folder: Path, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``kubectl apiclient``, through the real kubectl, in a folder; as CI's account unless told otherwise."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        cache = self.folder / "kubectl-cache"
        account = kubeconfig or self.account(PLAN_ACCOUNT)
        ours = {"PATH": path, "KUBECONFIG": str(account), "KUBECACHEDIR": str(cache), "COLUMNS": "100"}
        return subprocess.run(
            [str(find_kubectl()), "apiclient", *words],
            cwd=folder,
            env=os.environ | ours,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stop(self) -> None:
        """Stop everything that was started, the latest first."""
        for service in reversed(self.services):
            with contextlib.suppress(OSError):
                service.stop()

    def _add(self, service: Service) -> Service:
        self.services.append(service)
        return service


def _program(name: str) -> list[str]:
    """The console script beside this interpreter."""
    return [os.fspath(Path(sys.executable).parent / name)]


def _of_release(package: Path | None) -> dict[str, str]:
    """What makes a console script run another release than that of this checkout."""
    return {"PYTHONPATH": str(package)} if package is not None else {}


def _ready(port: int) -> str:
    return f"http://127.0.0.1:{port}/readyz"
