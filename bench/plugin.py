"""The kubectl plugin: how soon it says something, and how long a large plan takes.

Method. Programs one after another, by the clock from their start. "First output" is until the first byte on standard
output; the cluster of the commands that ask one holds 20 clients. The floor is an interpreter that prints a line. The
plan is of 1,000 clients, 5,000 contracts and 20 Apis in one file per team, of which a pull request retires every
tenth client; the floor reads the same files with the same YAML parser and does nothing with them.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from apiclients.resources.names import API_VERSION
from bench.population import TEAM, Population, client_name
from bench.report import Figure, Goal, Result, Target
from bench.stand import Plan, Stand, open_populated

_PLUGIN = Path(sys.executable).with_name("kubectl-apiclient")
_FEW = 20
_SOON = Target("<=", 0.3, Goal.MEDIAN)
_SECONDS = 120


def measure(plan: Plan) -> Result:
    """On a stand of its own."""
    with open_populated(Population(min(_FEW, plan.clients))) as stand:
        return measured(plan, stand)


def measured(plan: Plan, stand: Stand) -> Result:
    """All rounds, on a stand that is there."""
    environment = os.environ | {"KUBECONFIG": str(stand.kubeconfig)}
    commands = {
        "--help": ["--help"],
        "status": ["status", client_name(0), "-n", TEAM],
        "get": ["get", "-n", TEAM],
        "explain": ["explain", client_name(0), "-n", TEAM],
        "doctor": ["doctor"],
    }
    with tempfile.TemporaryDirectory() as folder:
        base, head = _trees(Path(folder), clients=min(1_000, 5 * plan.clients))
        arguments = ["plan", "--no-live", "--base", str(base), "--head", str(head)]
        floor = [_first_output([sys.executable, "-c", "print()"], environment) for _ in range(plan.rounds)]
        figures = [
            Figure(f"{name}, first output", "s", _times(command, environment, plan.rounds), floor, "s python", _SOON)
            for name, command in commands.items()
        ]
        parsed = [
            _first_output([sys.executable, "-m", "bench.plugin", str(base), str(head)]) for _ in range(plan.rounds)
        ]
        planned = _times(arguments, environment, plan.rounds)
    figures.append(Figure("plan of a large change", "s", planned, parsed, "s YAML", Target("<=", 3, Goal.MEDIAN)))
    return Result("plugin", figures, [], [f"{plan.rounds} rounds; plan: {min(1_000, 5 * plan.clients):,} clients"])


def _times(arguments: Sequence[str], environment: dict[str, str], rounds: int) -> list[float]:
    return [_first_output([str(_PLUGIN), *arguments], environment) for _ in range(rounds)]


def _first_output(command: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """Seconds until a program prints; a plan prints once it is done. Raises RuntimeError if it prints nothing."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        seconds = time.monotonic() - started
        _, errors = process.communicate(timeout=_SECONDS)
    if not first:
        raise RuntimeError(f"{command} printed nothing: {errors.decode()[-500:]}")
    return seconds


def _trees(folder: Path, clients: int) -> tuple[Path, Path]:
    """Manifests before and after: every tenth client is retired, and names the contracts that end."""
    for name in ("base", "head"):
        for team in range(10):
            (folder / name).mkdir(exist_ok=True)
            objects = [obj for number in range(team, clients, 10) for obj in _client(number, retired=name == "head")]
            (folder / name / f"team-{team}.yaml").write_text(yaml.safe_dump_all([*objects, *_apis(team)]))
    return folder / "base", folder / "head"


def _client(number: int, *, retired: bool) -> list[dict[str, object]]:
    namespace, name = f"team-{number % 10}", f"client-{number}"
    contracts = [f"{name}-api-{api}" for api in range(5)]
    spec: dict[str, object] = {"desiredStatus": "Available"}
    if retired and number % 10 == 0:
        spec = {"desiredStatus": "Retired", "retirement": {"acknowledgedContracts": contracts}}
    return [_object("ApiClient", namespace, name, spec)] + [
        _object(
            "Contract",
            namespace,
            contract,
            {"clientName": name, "api": {"namespace": f"team-{api}", "name": f"api-{api}-0"}, "plan": "basic"},
        )
        for api, contract in enumerate(contracts)
    ]


def _apis(team: int) -> list[dict[str, object]]:
    spec = {"desiredStatus": "Published", "consumers": {"from": "All"}, "plans": [{"name": "basic"}]}
    return [_object("Api", f"team-{team}", f"api-{team}-{number}", spec) for number in range(2)]


def _object(kind: str, namespace: str, name: str, spec: object) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }


def _parse(folders: Sequence[str]) -> int:
    """The floor: how many objects the files hold."""
    files = [path for folder in folders for path in sorted(Path(folder).glob("*.yaml"))]
    return sum(1 for path in files for _ in yaml.load_all(path.read_text(), yaml.CSafeLoader))


if __name__ == "__main__":
    sys.stdout.write(f"{_parse(sys.argv[1:])}\n")
