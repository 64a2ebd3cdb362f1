"""A thousand clients edited at once while the operator runs: when do all statuses say so?

Method. N clients at rest. A loader suspends a thousand of them by merge-patches, 32 in flight, and the next round
resumes them. The time that counts is from the loader's last answer to the last status that the API server accepted,
by the operator's metrics, looked at ten times a second; the loader's own time is the floor of the whole.
"""

import time

from apiclients.kube.errors import ConflictError
from apiclients.kube.kinds import API_CLIENTS
from bench.population import TEAM, Population, client_name, connected, in_flight
from bench.report import Figure, Goal, Result, Target
from bench.stand import Plan, Stand, open_populated, run


def measure(plan: Plan) -> Result:
    """All rounds."""
    with open_populated(Population(plan.clients)) as stand:
        return measured(plan, stand)


def measured(plan: Plan, stand: Stand) -> Result:
    """All rounds, on a stand that is there."""
    loaders, walls, writes = [], [], []
    for number in range(2 * max(1, round(plan.rounds / 2))):  # in the end all are Available again
        desired = "Available" if number % 2 else "Suspended"
        before = stand.settled()
        wanted = before.of("update", "apiclients") + plan.burst
        started = time.monotonic()
        run(_edit(stand, plan.burst, desired))
        loaders.append(time.monotonic() - started)
        stand.until(lambda counters, wanted=wanted: counters.of("update", "apiclients") >= wanted)  # type: ignore[misc]
        walls.append(time.monotonic() - started)
        writes.append(stand.settled().all_writes() - before.all_writes())
    after = [max(0.0, wall - loader) for wall, loader in zip(walls, loaders, strict=True)]
    what = f"{plan.burst:,} clients edited at once"
    figures = [
        Figure(f"{what}: all statuses", "s", walls, loaders, "s loader alone"),
        Figure(f"{what}: after the loader's end", "s", after, target=Target("<=", 3, Goal.MEDIAN)),
        Figure(f"{what}: writes", "writes", writes, target=Target("==", plan.burst, Goal.WORST)),
    ]
    return Result("burst", figures, [], [f"{plan.clients:,} clients in all"])


async def _edit(stand: Stand, count: int, desired: str) -> None:
    async with connected(stand.kubeconfig) as kube:

        async def one(number: int) -> None:
            while True:
                try:
                    await kube.merge_patch(API_CLIENTS, TEAM, client_name(number), {"spec": {"desiredStatus": desired}})
                except ConflictError:  # the operator wrote between the API server's read and its write
                    continue
                return

        await in_flight(range(count), one)
