"""The chart, installed on a cluster with real pods, and what administrators do with it."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from cluster import NodeCluster
from cluster.kubeconfig import find_kubectl
from tests.toolkit.admin import Admin
from tests.toolkit.objects import JsonObject
from tests.toolkit.waiting import eventually

SYSTEM = "apiclients-system"
RELEASE = "apiclients"
GATE, OPERATOR = "apiclient-gate", "apiclient-operator"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
#: Two operators, so that there is a successor. On a busy machine an API server may not answer for 10 s: gates would
#: then say 503, as they must, and this story is about something else. All the rest is as shipped.
VALUES = (
    "issuer=https://tokens.example.com",
    "image.repository=localhost/apiclient-operator",
    "operator.replicas=2",
    "gate.extraArgs={--max-staleness=60}",
)
#: How long any step may take: generous, for it costs only what it takes.
_SECONDS = 480


@dataclass(frozen=True)
class Version:
    """A chart, and the tag of the image that belongs to it."""

    chart: Path
    tag: str


@dataclass
class Platform:
    """A release of the chart."""

    cluster: NodeCluster
    helm_program: Path
    admin: Admin

    def helm(self, *arguments: str) -> str:
        """Run helm in the release's namespace; returns what it says."""
        command = [
            str(self.helm_program),
            *arguments,
            f"--namespace={SYSTEM}",
            f"--kubeconfig={self.cluster.kubeconfig}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * _SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, version: Version, *values: str) -> None:
        """Install or upgrade, and wait until all pods are ready."""
        settings = [f"--set={value}" for value in (*VALUES, f"image.tag={version.tag}", *values)]
        self.helm("upgrade", "--install", RELEASE, str(version.chart), *settings)
        self.until_rolled_out()

    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        """Run kubectl in the release's namespace; returns what it says. Raises KubectlError."""
        return self.cluster.kubectl(f"--namespace={SYSTEM}", *arguments, input=input, timeout=_SECONDS).stdout

    def until_rolled_out(self) -> None:
        """Wait until all pods are of the latest template and ready, and those of before are gone."""
        for name in (GATE, OPERATOR):
            self.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={_SECONDS - 10}s")
            eventually(f"{name} has the pods it wants", partial(self._is_complete, name), seconds=_SECONDS)

    def _is_complete(self, name: str) -> bool:
        wanted = json.loads(self.kubectl("get", "deployment", name, "--output=json"))["spec"]["replicas"]
        pods = self.pods(name)
        return len(pods) == wanted and all(_is_ready(pod) for pod in pods)

    def pods(self, name: str) -> list[JsonObject]:
        """All pods of a program, those that are ending included."""
        return self.admin.list("pods", SYSTEM, labelSelector=f"app.kubernetes.io/name={name}")

    def restarts(self) -> int:
        """How often the containers of all pods that are there have been started again."""
        statuses = [pod["status"]["containerStatuses"][0] for name in (GATE, OPERATOR) for pod in self.pods(name)]
        return sum(status["restartCount"] for status in statuses)

    def kill(self, pod: str) -> str:
        """End a pod's program at once, as in a crash; the kubelet starts it again. Returns the container's id."""
        container = str(self._container(pod)["containerID"])
        self.cluster.kill_container(container)
        return container

    def until_started_again(self, pod: str, container: str) -> None:
        """Wait until a pod is ready with another container than this one."""

        def started() -> bool:
            status = self._container(pod)
            return bool(status["ready"]) and status["containerID"] != container

        eventually(f"{pod} is started again", started, seconds=_SECONDS)

    def _container(self, pod: str) -> JsonObject:
        status: JsonObject = self.admin.get("pods", SYSTEM, pod)["status"]["containerStatuses"][0]
        return status

    def evict(self, pod: str) -> None:
        """Evict a pod as a drain does: asked for again for as long as the disruption budget does not allow it."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": SYSTEM}}

        def allowed() -> bool:
            answer = self.admin.ask("POST", "pods", SYSTEM, pod, body, subresource="eviction")
            assert answer.status in (200, 201, 404, 429), answer
            return answer.status != 429

        eventually(f"{pod} may be evicted", allowed, seconds=_SECONDS, pause=0.5)

    def leader(self) -> str:
        """The pod of the operator that leads, or nothing while none does."""
        return str(self._lease().get("holderIdentity") or "").rpartition("-")[0]

    def until_succeeded(self, pod: str) -> None:
        """Wait until another pod than this one leads."""
        eventually("a successor leads", lambda: self.leader() not in ("", pod), seconds=_SECONDS)

    def until_renewed(self, since: datetime) -> None:
        """Wait until the Lease has been taken or renewed after a time."""
        eventually("somebody leads", lambda: _time(self._lease()["renewTime"]) > since, seconds=_SECONDS)

    def _lease(self) -> JsonObject:
        spec: JsonObject = self.admin.get("leases", SYSTEM, OPERATOR)["spec"]
        return spec

    @contextlib.contextmanager
    def forwarded(self, target: str) -> Iterator[str]:
        """``kubectl port-forward`` to a pod or a Service; gives ``host:port`` on this machine."""
        command = [str(find_kubectl()), f"--kubeconfig={self.cluster.kubeconfig}", f"--namespace={SYSTEM}"]
        with subprocess.Popen(
            [*command, "port-forward", target, ":8080"], stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout
                found = re.search(r"127\.0\.0\.1:\d+", process.stdout.readline())
                assert found, f"{target} is not forwarded"
                yield found[0]
            finally:
                process.kill()


def pod(name: str, containers: list[JsonObject], volumes: JsonObject) -> JsonObject:
    """A pod of the tests, as the Pod Security level restricted wants it."""
    spec = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "containers": containers,
        "volumes": [{"name": volume, **source} for volume, source in volumes.items()],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def container(name: str, image: str, command: list[str], mounts: dict[str, str]) -> JsonObject:
    """One of its containers; ``mounts`` are places of volumes."""
    return {
        "name": name,
        "image": image,
        "command": command,
        # Without a request it would get next to no CPU as long as other pods want some.
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "volumeMounts": [{"name": volume, "mountPath": place} for volume, place in mounts.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _is_ready(pod: JsonObject) -> bool:
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
