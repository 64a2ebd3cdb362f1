"""Makes the node's network and holds it: run as a script, by ``unshare --net``, with the cluster's folder, the
address of the node and the addresses of Services.

The bridge comes first: pods hang on it, and its address is that of the node and of the API server, neither of which
may be a loopback address. Everything ends with this process and those that have entered its namespace.
"""

import signal
import subprocess
import sys
from pathlib import Path

BRIDGE = "cni0"
READY_FILE = "network.ready"


def main(folder: Path, address: str, services: str) -> None:
    _ip("link set lo up")
    _ip(f"link add {BRIDGE} type bridge")
    _ip(f"address add {address}/24 dev {BRIDGE}")
    _ip(f"link set {BRIDGE} up")
    _ip(f"route add {services} dev {BRIDGE}")  # else the node, and so the API server, would have no route to Services
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    (folder / READY_FILE).touch()
    while True:
        signal.pause()


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, timeout=30)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
