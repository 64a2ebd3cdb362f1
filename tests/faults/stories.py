"""Random stories by their seeds: what people and clients do, and what goes wrong meanwhile."""

import random
from dataclasses import dataclass

from tests.model.histories import Step, generate

_FAULTY_SHARE = 0.3
_REVOKING_SHARE = 0.2


@dataclass(frozen=True)
class Fault:
    """Something goes wrong: with a gate, the operator, or the servers."""

    what: str
    gate: int = 0


@dataclass(frozen=True)
class Revoke:
    """A client gives up one of the tokens that pass, at one of the gates. ``share`` says which, below 1."""

    gate: int
    share: float


LOST_IN_API_SERVER = "lost in the API server"
GATE_FAULTS = (
    *("mute", "lose", "cut", "cut off", "replay", "errors", "gone", "delay", "freeze", "clock", "kill gate"),
    *(LOST_IN_API_SERVER,) * 3,
)
OPERATOR_FAULTS = ("kill operator", "cut operator", "operator errors", "conflicts", "delay operator")
SERVER_FAULTS = ("restart API server", "restart etcd")

Story = list[Step | Fault | Revoke]


def story(seed: int, steps: int) -> Story:
    """A story of so many steps after the beginning, faults included."""
    chance, clients, told = random.Random(seed), random.Random(f"clients of {seed}"), Story()
    for number, step in enumerate(generate(seed, steps, timeless=True)):
        if number > 10 and chance.random() < _FAULTY_SHARE:
            told.append(_fault(chance))
        told.append(step)
        if number > 10 and clients.random() < _REVOKING_SHARE:
            told.append(Revoke(clients.randrange(2), clients.random()))
    return told


def _fault(chance: random.Random) -> Fault:
    kinds = chance.choices((GATE_FAULTS, OPERATOR_FAULTS, SERVER_FAULTS, ("heal",)), (8, 4, 1, 5))[0]
    return Fault(chance.choice(kinds), chance.randrange(2))
