"""Servers beside the gate, and what a gate says of itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from cluster.programs import free_port
from demo.calls import request
from demo.service import Service

_ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def bare_server(folder: Path) -> Iterator[Service]:
    """The floor: see ``bench.bare``."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare", str(port)]
    ready = f"http://127.0.0.1:{port}/readyz"
    server = Service("bare", command, folder / "bare.log", ready_url=ready, environment={"PYTHONPATH": str(_ROOT)})
    server.start()
    try:
        yield server
    finally:
        server.stop()


def port_of(server: Service) -> int:
    """Where a server listens."""
    port = urlsplit(server.ready_url or "").port
    assert port is not None
    return port


def gate_metrics(gate: Service) -> dict[str, float]:
    """All series without labels."""
    text = request("GET", f"http://127.0.0.1:{port_of(gate)}/metrics").body.decode()
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines if "{" not in name}
