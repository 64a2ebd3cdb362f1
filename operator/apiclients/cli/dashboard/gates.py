"""The page of the gates."""

from dataclasses import dataclass

from apiclients import __version__
from apiclients.cli.cluster.system import System, read_system
from apiclients.cli.dashboard.board import Board
from apiclients.cli.screens.check import Check
from apiclients.cli.screens.gates import (
    GateStanding,
    Unenforced,
    feature_checks,
    gate_checks,
    operator_check,
    standings,
    version_checks,
)

#: Clients that are named; the others are counted.
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class GatesPage:
    """What the page shows."""

    #: None where their Leases may not be read.
    gates: tuple[GateStanding, ...] | None
    #: Of the operator, of versions, and of gates together.
    checks: tuple[Check, ...]
    #: The clients that are not enforced everywhere, those that wait longest first.
    waiting: tuple[Unenforced, ...]
    namespace: str


async def read_gates(board: Board, namespace: str) -> GatesPage:
    """Read the Leases of ``namespace``. Raises KubeError."""
    system = await read_system(board.session, namespace)
    waiting = tuple(sorted(board.unenforced(), key=lambda one: (one.since, one.namespace, one.name)))
    now = board.session.now()
    gates = system.gates
    return GatesPage(
        gates=standings(gates, board.versions(), waiting, namespace, now) if gates is not None else None,
        checks=tuple(_checks(system, board, namespace)),
        waiting=waiting,
        namespace=namespace,
    )


def _checks(system: System, board: Board, namespace: str) -> list[Check]:
    """The checks of ``doctor`` that are not about a single gate which is alive."""
    now, checks = board.session.now(), list[Check]()
    if system.operator_readable:
        checks.append(operator_check(system.operator, namespace, now))
    if system.gates is None:
        return checks
    none_alive = [] if any(one.alive(now) for one in system.gates) else gate_checks(system.gates, namespace, now)
    versions = version_checks(system.gates, system.operator, __version__, now)
    return [*checks, *none_alive, *feature_checks(system.gates, now), *versions]
