"""The command line: ``python -m cluster up|down|status|kubeconfig|build``, from the root of the repository."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from cluster.binaries import ensure_binaries, kubernetes_version
from cluster.errors import ClusterError
from cluster.interface import Cluster
from cluster.local import LocalCluster
from cluster.node.binaries import ensure_node_binaries
from cluster.node.cluster import NodeCluster
from cluster.providers import PROVIDERS, attach_cluster, open_cluster
from cluster.report import line
from cluster.state import read_state

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / ".run" / "cluster"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 for what a person has to put right, or 128 and the signal."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end_on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited: a cluster that stays up outlives its terminal
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ClusterError as error:
        line(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        line("Interrupted: what was started has been stopped.")
        return 128 + signal.SIGINT


def _end_on_signal(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster", description=f"A real Kubernetes {kubernetes_version()} API server on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = _add(commands, "up", _up, "start a cluster and leave it running")
    up.add_argument("--provider", choices=PROVIDERS, default="local", help="who provides it (default: local)")
    up.add_argument("--context", metavar="NAME", help="the context of your kubeconfig, for --provider existing")
    up.add_argument("--node", action="store_true", help="with a node on which real pods run (needs root on Linux)")
    _add(commands, "down", _down, "stop it and remove all that it wrote")
    _add(commands, "status", _status, "tell whether it runs (exit status 0 if it does)")
    _add(commands, "kubeconfig", _kubeconfig, "print the path of its kubeconfig")
    build = commands.add_parser("build", help="build the programs, if that is still to be done, and print their folder")
    build.add_argument("--node", action="store_true", help="those of a node as well, and print the folder of these")
    build.set_defaults(command=_build)
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text)
    parser.add_argument(
        "--data-dir", type=Path, default=DEFAULT_FOLDER, metavar="DIR", help="its folder (default: .run/cluster)"
    )
    parser.set_defaults(command=command)
    return parser


def _up(options: argparse.Namespace) -> int:
    folder: Path = options.data_dir
    state = read_state(folder)
    wanted = NodeCluster.provider if options.node and options.provider == "local" else options.provider
    if state and state["provider"] == wanted and (cluster := attach_cluster(folder)).is_ready():
        line("The cluster runs already.")
    else:
        cluster = open_cluster(options.provider, folder, context=options.context, node=options.node)
        cluster.start()
        cluster.detach()
    _explain(cluster, folder)
    return 0


def _explain(cluster: Cluster, folder: Path) -> None:
    where = "" if folder == DEFAULT_FOLDER else f" --data-dir {folder}"
    print(f"The API server is ready at {cluster.server}. To use it:\n")
    print(f"    export KUBECONFIG={cluster.kubeconfig}\n    kubectl get namespaces\n")
    print(f"To stop it: python -m cluster down{where}")


def _down(options: argparse.Namespace) -> int:
    folder: Path = options.data_dir
    if read_state(folder) is None:
        line(f"There is no cluster in {folder}.")
        return 0
    attach_cluster(folder).stop(remove=True)
    line(f"Removed {folder} and all that ran for it.")
    return 0


def _status(options: argparse.Namespace) -> int:
    folder: Path = options.data_dir
    if read_state(folder) is None:
        print(f"There is no cluster in {folder}.")
        return 1
    cluster = attach_cluster(folder)
    ready = cluster.is_ready()
    print(f"{cluster.server} is {'ready' if ready else 'not ready'}; KUBECONFIG={cluster.kubeconfig}")
    if isinstance(cluster, LocalCluster):
        for name, pid in cluster.pids().items():
            print(f"  {name}: process {pid}, log {cluster.log_file(name)}")
    return 0 if ready else 1


def _kubeconfig(options: argparse.Namespace) -> int:
    print(attach_cluster(options.data_dir).kubeconfig)
    return 0


def _build(options: argparse.Namespace) -> int:
    folder = ensure_binaries().folder
    print(ensure_node_binaries().folder if options.node else folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
