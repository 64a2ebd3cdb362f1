"""Reads what the page of the gates shows."""

from dataclasses import dataclass

from apiclients import __version__
from apiclients.cli.cluster.system import System, read_system
from apiclients.cli.dashboard.state.board import Board
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

#: The limit of clients that are listed by name.
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class GatesPage:
    """The gates, the checks of the installation, and the clients that wait."""

    #: None if their Leases may not be read.
    gates: tuple[GateStanding, ...] | None
    #: Of the operator, the versions, and the gates as a whole.
    checks: tuple[Check, ...]
    #: The clients whose status is not enforced yet, oldest first.
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
    """The checks of ``doctor`` that do not concern a single gate."""
    now, checks = board.session.now(), list[Check]()
    if system.operator_readable:
        checks.append(operator_check(system.operator, namespace, now))
    if system.gates is None:
        return checks
    none_alive = [] if any(one.alive(now) for one in system.gates) else gate_checks(system.gates, namespace, now)
    versions = version_checks(system.gates, system.operator, __version__, now)
    return [*checks, *none_alive, *feature_checks(system.gates, now), *versions]
