"""A client that all gates of a fleet know, and gates that tell how far they are."""

from __future__ import annotations

from datetime import timedelta

from tests.lifecycle.fleet import Fleet, Gate

SECOND = timedelta(seconds=1)


def fleet(gates: int = 2) -> Fleet:
    """An Available client that all gates know, long ago."""
    made = Fleet()
    for _ in range(gates):
        made.start()
    made.reconcile()
    for _ in range(2):
        all_tell(made)
        made.reconcile()
    assert made.told == ("True/Enforced" if gates else "Unknown/NoGates"), made.message
    made.world.now += SECOND
    made.writes = 0
    return made


def all_tell(made: Fleet) -> None:
    """Every gate sees everything, and says so."""
    for gate in made.gates.values():
        tell(made, gate)


def tell(made: Fleet, gate: Gate) -> None:
    """A gate sees everything, and says so."""
    made.catch_up(gate)
    made.renew(gate)


def first(made: Fleet) -> Gate:
    """Any gate."""
    return next(iter(made.gates.values()))
