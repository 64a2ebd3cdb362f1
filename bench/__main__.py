"""``python -m bench [cold|restart|...|all]``: measure, print a table, write JSON and plots."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import (
    burst,
    cold,
    crowd,
    gate,
    gateways,
    growth,
    latency,
    machine,
    memory,
    peers,
    plots,
    plugin,
    report,
    rest,
    restart,
    scale,
    tenants,
)
from bench.gate import running_gate
from bench.population import Population
from bench.report import Result
from bench.stand import QUICK, Plan, open_populated

BENCHMARKS: dict[str, Callable[[Plan], Result]] = {
    "cold": cold.measure,
    "crowd": crowd.measure,
    "restart": restart.measure,
    "gate": gate.measure,
    "gateways": gateways.measure,
    "peers": peers.measure,
    "latency": latency.measure,
    "burst": burst.measure,
    "memory": memory.measure,
    "plugin": plugin.measure,
    "growth": growth.measure,
    "tenants": tenants.measure,
    "rest": rest.measure,
    "scale": scale.measure,
}
_ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 1 if a count is wrong. A target that is missed is told, not failed."""
    options = _parse(arguments)
    plan = _plan(options)
    facts = machine.facts(" ".join(["python -m bench", *arguments])) | {"plan": str(plan)}
    wrong = False
    for measure in _everything(plan) if options.benchmark == "all" else [partial(BENCHMARKS[options.benchmark], plan)]:
        result = _measured(measure, facts, options.out)
        wrong = wrong or any(figure.wrong for figure in result.figures)
    return int(wrong)


def _everything(plan: Plan) -> Iterator[Callable[[], Result]]:
    """All benchmarks; those that need everything reconciled share one cluster."""
    yield partial(cold.measure, plan)
    yield partial(crowd.measure, plan)
    with open_populated(Population(plan.clients)) as stand:
        yield partial(restart.measured, plan, stand)
        yield partial(burst.measured, plan, stand)
        with running_gate(stand) as running:
            yield partial(gate.measured, plan, stand, running)
            yield partial(latency.measured, plan, stand, running)
            yield partial(peers.measured, plan, stand, running)
        yield partial(memory.measured, plan, stand)
    yield partial(plugin.measure, plan)
    yield partial(growth.measure, plan)
    yield partial(gateways.measure, plan)
    yield partial(rest.measure, plan)
    yield partial(scale.measure, plan)
    yield partial(tenants.measure, replace(plan, clients=min(plan.clients, 1_000)))


def _measured(measure: Callable[[], Result], facts: dict[str, Any], folder: Path) -> Result:
    """Measure, print, write and draw."""
    before, started = machine.load(), time.monotonic()
    result = measure()
    loads = {"load_before": before, "load_after": machine.load()}
    seconds = time.monotonic() - started
    result.notes.append(f"took {seconds:.0f} s; load average {before:.1f} before, {loads['load_after']:.1f} after")
    print(report.text(result), flush=True)
    report.save([result], facts | loads, folder)
    for path in plots.draw([result], folder):
        _say(f"drew {path.name}")
    return result


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("benchmark", nargs="?", default="all", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--size", type=int, help="clients, and contracts (10,000)")
    parser.add_argument("--rounds", type=int, help="rounds of each floor and subject (3)")
    parser.add_argument("--tries", type=int, help="tries of each latency (300)")
    parser.add_argument("--seconds", type=float, help="seconds of each load on the gate (4)")
    parser.add_argument("--growth", type=int, nargs="+", help="sizes for growth (1000 3000 10000)")
    parser.add_argument("--quick", action="store_true", help="very small: tells only whether it works")
    parser.add_argument("--out", type=Path, default=_ROOT / "results", help="folder for JSON and PNG (bench/results)")
    return parser.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    given = {"clients": options.size, "rounds": options.rounds, "tries": options.tries, "seconds": options.seconds}
    plan = replace(QUICK if options.quick else Plan(), **{name: value for name, value in given.items() if value})
    return replace(plan, growth=tuple(options.growth)) if options.growth else plan


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
