"""``python -m bench.adversary`` carries out an attack from one namespace, as a process of its own, until SIGTERM.

It acts as a service account with the roles that ship for people, bound in its namespace and nowhere else. What to do
comes as JSON on stdin. A line on stdout says that everything is there that was to be there before; the storm begins
then, at most eight writes in flight, and a last line says how many were done and how many refused.
"""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import uvloop

from apiclients.kube.client import JsonObject, KubeClient
from apiclients.kube.errors import AlreadyExistsError, KubeError, UnreachableError
from apiclients.kube.kinds import ALL_KINDS
from bench.attacks import ATTACKS, Create, Delete, Patch, Scene, Write
from bench.population import client_body, connected, in_flight
from cluster import Cluster

ROLES = ("edit", "apiclient-on-call", "apiclient-api-owner")
WRITES_PER_SECOND = 100.0
_ACCOUNT = "adversary"
_IN_FLIGHT = 8
_CLEAN_SECONDS = 300.0
_POLICY = "bounded-metadata"
_POLICY_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Count:
    """Writes of a storm."""

    done: int
    refused: int


class Adversary:
    """Somebody with the shipped roles in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        """Make the namespace, the account and its rights. ``folder`` takes the kubeconfig. Raises KubectlError."""
        self.namespace = namespace
        self._cluster = cluster
        cluster.kubectl("create", "namespace", namespace)
        cluster.kubectl("create", "serviceaccount", _ACCOUNT, f"--namespace={namespace}")
        subject = f"--serviceaccount={namespace}:{_ACCOUNT}"
        for role in ROLES:
            cluster.kubectl("create", "rolebinding", role, f"--clusterrole={role}", subject, f"--namespace={namespace}")
        self._kubeconfig = cluster.service_account_kubeconfig(namespace, _ACCOUNT, folder / f"{namespace}.kubeconfig")

    @contextmanager
    def attacking(self, name: str, size: int, victim: str, *, rate: float = WRITES_PER_SECOND) -> Iterator["Storm"]:
        """One attack, from when everything is there until the context ends. Raises RuntimeError."""
        scene = [self.namespace, size, victim]
        asked = {"kubeconfig": str(self._kubeconfig), "attack": name, "scene": scene, "rate": rate}
        with self._unbounded() if ATTACKS[name].unbounded_metadata else nullcontext():
            storm = Storm(asked)
            try:
                yield storm
            finally:
                storm.stop()

    def clean(self) -> None:
        """Delete all that it has made. Raises KubectlError."""
        for kind in ALL_KINDS:
            self._cluster.kubectl("delete", f"--raw={kind.path(self.namespace)}", timeout=_CLEAN_SECONDS)

    @contextmanager
    def _unbounded(self) -> Iterator[None]:
        """The cluster without the policy that bounds labels; it is back, and in force, when the context ends."""
        self._cluster.kubectl("delete", "validatingadmissionpolicybinding", _POLICY)
        try:
            self._until_bounded(False)
            yield
        finally:
            self._cluster.kubectl("apply", "-f", str(_ROOT / "manifests/control/policies" / f"{_POLICY}.yaml"))
            self._until_bounded(True)

    def _until_bounded(self, bounded: bool) -> None:
        """Policies come into force, and go, a moment after they are written. Raises RuntimeError."""
        probe = client_body("probe", self.namespace)
        probe["metadata"]["labels"] = {f"label-{number}": "" for number in range(65)}
        end = time.monotonic() + _POLICY_SECONDS
        command = ("create", "--dry-run=server", "-f", "-")
        while (self._cluster.kubectl(*command, input=json.dumps(probe), check=False).returncode != 0) is not bounded:
            if time.monotonic() > end:
                raise RuntimeError(f"the policy {_POLICY} is not {'in force' if bounded else 'gone'}")


class Storm:
    """The process of one attack."""

    def __init__(self, asked: JsonObject) -> None:
        """Start it, and wait until everything is there. Raises RuntimeError."""
        command = [sys.executable, "-m", "bench.adversary"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked))
        self._process.stdin.close()
        self._told()
        self.count = Count(0, 0)

    def stop(self) -> None:
        """End it; from then on ``count`` says what it did."""
        if self._process.poll() is None:
            self._process.terminate()
            self.count = Count(*self._told())
            self._process.wait()

    def _told(self) -> list[int]:
        """A line of the process. Raises RuntimeError when it has ended without one."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the attack ended by itself, with status {self._process.wait()}")
        told: list[int] = json.loads(line)
        return told


async def _run(asked: JsonObject) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    attack, scene = ATTACKS[asked["attack"]], Scene(*asked["scene"])
    async with connected(Path(asked["kubeconfig"])) as kube:
        await in_flight(attack.before(scene), lambda write: _prepare(kube, scene, write), _IN_FLIGHT)
        print("[]", flush=True)
        count = await _storm(kube, scene, iter(attack.storm(scene)), asked["rate"], stop)
        await stop.wait()
    print(json.dumps([count.done, count.refused]), flush=True)


async def _prepare(kube: KubeClient, scene: Scene, write: Write) -> None:
    """Write until it is done: a busy API server may take its time over large objects."""
    while True:
        try:
            return await _send(kube, scene, write)
        except AlreadyExistsError:  # an earlier try that seemed to fail
            return None
        except UnreachableError:
            await asyncio.sleep(1)


async def _storm(kube: KubeClient, scene: Scene, writes: Iterator[Write], rate: float, stop: asyncio.Event) -> Count:
    """Writes at a steady rate until stopped. What is refused is not tried again."""
    done = refused = 0
    loop = asyncio.get_running_loop()
    due = loop.time()

    async def worker() -> None:
        nonlocal done, refused, due
        for write in writes:
            due = max(due + 1 / rate, loop.time())
            await asyncio.sleep(due - loop.time())
            if stop.is_set():
                return
            try:
                await _send(kube, scene, write)
            except KubeError:
                refused += 1
            else:
                done += 1

    await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))
    return Count(done, refused)


async def _send(kube: KubeClient, scene: Scene, write: Write) -> None:
    match write:
        case Create(resource, body):
            await kube.create(resource, scene.namespace, body)
        case Patch(resource, name, body):
            await kube.merge_patch(resource, scene.namespace, name, body)
        case Delete(resource, name):
            await kube.delete(resource, scene.namespace, name)


if __name__ == "__main__":
    uvloop.run(_run(json.load(sys.stdin)))
