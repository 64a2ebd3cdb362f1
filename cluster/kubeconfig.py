"""kubectl, and the kubeconfigs that it and every other client read."""

import base64
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError, KubectlError
from cluster.pki import Pair, write_private

DEFAULT_TIMEOUT = 60.0


def find_kubectl() -> Path:
    """The kubectl of the Python environment, else the one on PATH.

    Raises ``ClusterError`` if there is none.
    """
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "kubectl").is_file():
            return folder / "kubectl"
    if found := shutil.which("kubectl"):
        return Path(found)
    raise ClusterError("kubectl is missing: install the development dependencies (make venv, or pip install '.[dev]').")


def run_kubectl(
    kubeconfig: Path | None,
    arguments: tuple[str, ...],
    *,
    input: str | None = None,
    check: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Run kubectl against ``kubeconfig`` (None: the user's own), ``timeout`` in seconds.

    Raises ``KubectlError`` if it fails and ``check`` is set, and ``ClusterError`` if it does not end in time.
    """
    environment = dict(os.environ)
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
        # kubectl remembers by host and port what a server offers; a new cluster on an old port must not inherit it.
        environment["KUBECACHEDIR"] = str(kubeconfig.parent / "kubectl-cache")
    try:
        result = subprocess.run(
            [str(find_kubectl()), *arguments],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"kubectl {' '.join(arguments)} did not end within {timeout:.0f} s.") from error
    if check and result.returncode != 0:
        raise KubectlError(arguments, result.returncode, result.stdout, result.stderr)
    return result


def write_kubeconfig(
    path: Path, cluster: Mapping[str, Any], user: Mapping[str, str], *, namespace: str = "default"
) -> Path:
    """Write a kubeconfig of one context, readable by its owner only. JSON is YAML, so every client reads it."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": dict(cluster)}],
        "users": [{"name": "user", "user": dict(user)}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user", "namespace": namespace}}],
        "current-context": "context",
    }
    write_private(path, json.dumps(content, indent=2).encode() + b"\n")
    return path


def verified_server(server: str, ca: Path) -> dict[str, str]:
    """A kubeconfig's cluster: its URL and the authority that its certificate is verified by."""
    return {"server": server, "certificate-authority-data": base64.b64encode(ca.read_bytes()).decode()}


def certificate_user(pair: Pair) -> dict[str, str]:
    """A kubeconfig's user who is known by a client certificate."""
    return {
        "client-certificate-data": base64.b64encode(pair.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(pair.key.read_bytes()).decode(),
    }


def view(kubeconfig: Path | None, *, context: str | None = None) -> dict[str, Any]:
    """The one context of a kubeconfig, with all its files taken in.

    Raises ``ClusterError`` if kubectl cannot read it or the context does not exist.
    """
    arguments = ["config", "view", "--minify", "--flatten", "--raw", "-o", "json"]
    if context is not None:
        arguments.append(f"--context={context}")
    content: dict[str, Any] = json.loads(run_kubectl(kubeconfig, tuple(arguments)).stdout)
    return content
