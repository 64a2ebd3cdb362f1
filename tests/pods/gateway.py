"""A real nginx in a pod, with the configuration of ``examples/gateways/nginx``, in front of an API in the same pod."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cluster.node.images import write_image
from examples.gateways.render import NGINX, Places
from tests.pods.platform import Platform, container, pod
from tests.toolkit.objects import JsonObject

_NAME, _IMAGE = "gateway", "localhost/nginx:1"
_PORT, _API_PORT = 8000, 9000
_WORK = "/work"
_SCRIPT = Path(__file__).with_name("api.py")
#: How long nginx waits for the gate: on a busy machine the example's two seconds would judge the machine.
_PATIENCE = re.compile(r"(proxy_(?:(?:connect|send|read)_timeout|next_upstream_timeout))\s+\d+s;")


def start_gateway(platform: Platform, gate: str, image: str, folder: Path, namespace: str) -> str:
    """Start it; returns its ``host:port``. ``image`` has Python; ``folder`` takes nginx's image."""
    write_image(NGINX.find(), _IMAGE, folder / "nginx.tar")
    platform.cluster.load_image(folder / "nginx.tar")
    files = {"nginx.conf": _configuration(gate, folder), _SCRIPT.name: _SCRIPT.read_text()}
    objects: list[JsonObject] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _NAME}, "data": files},
        _pod(image),
    ]
    platform.kubectl("apply", f"--namespace={namespace}", "--filename=-", input=yaml.safe_dump_all(objects))
    platform.kubectl("wait", f"--namespace={namespace}", "--for=condition=Ready", f"pod/{_NAME}", "--timeout=120s")
    address = platform.admin.get("pods", namespace, _NAME)["status"]["podIP"]
    return f"{address}:{_PORT}"


def _configuration(gate: str, folder: Path) -> str:
    """The example's, with nginx's own files in a volume."""
    NGINX.write(Places(f"0.0.0.0:{_PORT}", [gate], f"127.0.0.1:{_API_PORT}", folder))
    text = (folder / "nginx.conf").read_text().replace(str(folder), _WORK)
    return _PATIENCE.sub(r"\1 10s;", text)


def _pod(image: str) -> JsonObject:
    mounts = {"files": "/files", "work": _WORK}
    nginx = container("nginx", _IMAGE, ["/nginx", "-p", _WORK, "-c", "/files/nginx.conf", "-e", "stderr"], mounts)
    nginx["readinessProbe"] = {"tcpSocket": {"port": _PORT}, "periodSeconds": 1}
    api = container("api", image, ["python3", f"/files/{_SCRIPT.name}", str(_API_PORT)], mounts)
    return pod(_NAME, [nginx, api], {"files": {"configMap": {"name": _NAME}}, "work": {"emptyDir": {}}})
