"""``python -m bench [cold|restart|...|all]``: measure, print a table, write JSON and plots."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import burst, cold, gate, growth, latency, machine, memory, peers, plots, report, restart
from bench.report import Result
from bench.stand import QUICK, Plan

BENCHMARKS: dict[str, Callable[[Plan], Result]] = {
    "cold": cold.measure,
    "restart": restart.measure,
    "gate": gate.measure,
    "peers": peers.measure,
    "latency": latency.measure,
    "burst": burst.measure,
    "memory": memory.measure,
    "growth": growth.measure,
}
_ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; 1 if a count is wrong. A target that is missed is told, not failed."""
    options = _parse(arguments)
    plan = _plan(options)
    names = list(BENCHMARKS) if options.benchmark == "all" else [options.benchmark]
    results = []
    for name in names:
        before, started = machine.load(), time.monotonic()
        _say(f"{name} ...")
        result = BENCHMARKS[name](plan)
        loads = f"load average {before:.1f} before, {machine.load():.1f} after"
        result.notes.append(f"took {time.monotonic() - started:.0f} s; {loads}")
        results.append(result)
        print(report.text(result), flush=True)
        facts = machine.facts(" ".join(["python -m bench", *arguments])) | {"load_before": before, "plan": str(plan)}
        report.save([result], facts | {"load_after": machine.load()}, options.out)
        for path in plots.draw([result], options.out):
            _say(f"drew {path.name}")
    return int(any(figure.wrong for result in results for figure in result.figures))


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
