"""``python -m tests.faults.soak --minutes 60``: both programs at work; memory and descriptors stay flat."""

import argparse
import contextlib
import itertools
import logging
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from demo.service import Service
from tests.faults.arena import MAX_STALENESS, Arena, Team, descriptors, open_arena, resident_bytes
from tests.toolkit.admin import RefusedError
from tests.toolkit.waiting import PATIENCE

_MEBIBYTE = 1024 * 1024
_CLIENTS = 20
_WARM_UP = 1 / 3
#: What may differ between the first and the last third after the warm-up.
_GROWTH = 0.05
_MEBIBYTES_MORE = 4.0
_DESCRIPTORS_MORE = 10
_SAMPLE_SECONDS = 1.0


@dataclass
class Course:
    """What was measured of one program. A restart would hide growth, so there must be none."""

    service: Service
    pid: int
    mebibytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self) -> None:
        """Measure once."""
        self.mebibytes.append(resident_bytes(self.pid) / _MEBIBYTE)
        self.descriptors.append(descriptors(self.pid))

    def problem(self) -> str | None:
        """What is not flat, or None."""
        early, late = thirds(self.mebibytes)
        if late > early * (1 + _GROWTH) + _MEBIBYTES_MORE:
            return f"{self.service.name} grows: {early:.1f} to {late:.1f} MiB"
        few, many = thirds([float(number) for number in self.descriptors])
        if many > few + _DESCRIPTORS_MORE:
            return f"{self.service.name} leaks: {few:.0f} to {many:.0f} descriptors"
        return None

    def told(self) -> str:
        """A line of the report."""
        early, late = thirds(self.mebibytes)
        few, many = thirds([float(number) for number in self.descriptors])
        return (
            f"{self.service.name:10} {early:7.1f} {late:7.1f} MiB, at most {max(self.mebibytes):7.1f};"
            f" descriptors {few:4.0f} {many:4.0f}, at most {max(self.descriptors)}"
        )


def thirds(samples: list[float]) -> tuple[float, float]:
    """The medians of the first and the last third of what was measured after the warm-up."""
    warm = samples[int(len(samples) * _WARM_UP) :]
    size = max(1, len(warm) // 3)
    return statistics.median(warm[:size]), statistics.median(warm[-size:])


def live(team: Team, turn: int) -> None:
    """One turn of the life of one of the clients; every so often something rare happens."""
    name = f"client-{turn % _CLIENTS}"
    match turn // _CLIENTS % 5:
        case 0:
            team.client(name, secret={"revision": turn // (5 * _CLIENTS), "overlap": "1s"})
        case 1:
            team.desire(name, "Suspended")
        case 2:
            team.hold(name, name)
            team.desire(name, "Available")
        case 3:
            team.admin.delete("apiclientholds", team.namespace, name)
        case 4 if turn % 7 == 0:
            team.admin.delete("apiclients", team.namespace, name)
        case _:
            team.arena.gates[turn % 2].ask(team.credentials(name))


@contextmanager
def busy(team: Team) -> Iterator[list[int]]:
    """Clients live their lives all the time; yields the number of turns, as a list of one."""
    ended, turns = threading.Event(), [0]

    def work() -> None:
        for turn in itertools.count(_CLIENTS * 5):
            if ended.wait(0.05):
                return
            with contextlib.suppress(OSError, RefusedError, KeyError):
                live(team, turn)
            turns[0] += 1
            if turn % 400 == 0:
                for proxy in (team.arena.operator_proxy, *(gate.proxy for gate in team.arena.gates)):
                    proxy.cut()  # connections break now and then

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield turns
    finally:
        ended.set()
        worker.join(PATIENCE)


def soak(arena: Arena, minutes: float) -> list[str]:
    """Work for so long; prints what was measured and returns what is wrong."""
    team, bystanders = arena.team(), arena.team()
    for name in ("good", "suspended"):
        bystanders.declare(name)
    courses = [Course(one, one.pid) for one in (arena.operator, *(gate.service for gate in arena.gates))]
    restarts, end = arena.supervisor.restarts, time.monotonic() + minutes * 60
    with (
        arena.promise("good", bystanders.token("good")) as good,
        arena.promise("suspended", bystanders.token("suspended")) as suspended,
        busy(team) as turns,
    ):
        with suspended.ends(within=MAX_STALENESS):
            bystanders.desire("suspended", "Suspended")
        while time.monotonic() < end and arena.supervisor.restarts == restarts:
            time.sleep(_SAMPLE_SECONDS)
            for course in courses:
                course.sample()
        print(f"{turns[0]} turns, {sum(good.seen.values())} checks of the good one: {dict(good.seen)}")
    for course in courses:
        print(course.told())
    problems = [problem for course in courses if (problem := course.problem())]
    return [*problems, *(["a program ended by itself"] if arena.supervisor.restarts > restarts else [])]


def main() -> int:
    """Exits with 1 if something was not flat."""
    parser = argparse.ArgumentParser("python -m tests.faults.soak", description="Memory and descriptors over time.")
    parser.add_argument("--minutes", type=float, default=60.0, help="%(default)s")
    found = parser.parse_args()
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, open_arena(Path(folder)) as arena:
        problems = soak(arena, found.minutes)
    print("\n".join(problems) or "flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
