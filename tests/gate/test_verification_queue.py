"""What is verified next, and that nothing in use waits for longer than is promised."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiclients.gate.state.verification_queue import VerificationQueue
from apiclients.resources.refs import ObjectRef

pytestmark = pytest.mark.rule(17)

RATE, WITHIN = 10.0, 5.0
SLOT = 1 / RATE


def ref(number: int) -> ObjectRef:
    return ObjectRef("Contract", "team-a", f"contract-{number}")


def drained(queue: VerificationQueue, now: float) -> list[ObjectRef]:
    """All that it gives now, each verified at once."""
    found = []
    while (taken := queue.take(now)) is not None:
        queue.verified(taken, now)
        found.append(taken)
    return found


class Simulation:
    """A gate that asks the queue once in each slot, while objects are used."""

    def __init__(self) -> None:
        self.queue = VerificationQueue(RATE, WITHIN)
        self.since: dict[ObjectRef, float] = {}
        self.most = 0
        self.worst = 0.0
        self.reads = 0

    def slot(self, number: int, used: Iterable[ObjectRef]) -> None:
        now = number * SLOT
        for one in used:
            self.queue.used(one, now, now)
            self.since.setdefault(one, now)
        self.most = max(self.most, len(self.queue))
        taken = self.queue.take(now)
        if taken is not None:
            self.reads += 1
            self.worst = max(self.worst, now - self.since.pop(taken))
            self.queue.verified(taken, now)


uses = st.lists(st.frozensets(st.integers(0, 120), max_size=25), max_size=60)


@given(uses, st.integers(0, 100), st.integers(0, 130))
def test_nothing_in_use_waits_for_longer_than_is_promised(
    bursts: list[frozenset[int]], constant: int, pause: int
) -> None:
    """Some objects are used all the time, others in bursts with pauses between them, in any order."""
    simulation, number = Simulation(), 0
    for burst in bursts:
        simulation.slot(number, [ref(one) for one in {*burst, *range(constant)}])
        for _ in range(pause % 13):
            number += 1
            simulation.slot(number, [ref(one) for one in range(constant)])
        number += 1
    for _ in range(300):
        simulation.slot(number, ())
        number += 1
    assert not simulation.since, "everything is verified in the end"
    # One slot may be taken by what nobody has verified lately, and time goes in slots.
    assert simulation.worst <= max(WITHIN, simulation.most / RATE) + 2 * SLOT + 1e-6


def test_few_objects_in_constant_use_are_read_no_more_often_than_promised() -> None:
    simulation = Simulation()
    for number in range(600):
        simulation.slot(number, [ref(0), ref(1), ref(2)])
    assert simulation.worst <= WITHIN + SLOT
    assert simulation.reads <= 3 * (1 + 60 / (WITHIN - 1))


def test_what_nobody_uses_is_not_read() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    queue.used(ref(1), 0.0, 0.0)
    assert drained(queue, 0.0) == [ref(1)]
    assert drained(queue, 1e6) == []
    assert len(queue) == 0


def test_what_was_not_verified_lately_is_read_at_once() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    for number in (1, 2):
        queue.used(ref(number), 0.0, 0.0)
    assert drained(queue, 0.0) == [ref(1), ref(2)]
    queue.used(ref(2), 1.0, 1.0)
    queue.used(ref(3), 1.0, 1.0)
    assert drained(queue, 1.0) == [ref(3)]
    assert drained(queue, 1.0 + WITHIN) == [ref(2)]
    queue.used(ref(1), 100.0, 100.0)
    assert drained(queue, 100.0) == [ref(1)], "a first use after a long time"


def test_a_use_while_it_is_read_asks_for_another_verification() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    queue.used(ref(1), 0.0, 0.0)
    assert queue.take(0.0) == ref(1)
    queue.used(ref(1), 0.5, 0.6)
    queue.verified(ref(1), 1.0)
    assert queue.age(1.0) == 0.5
    assert queue.take(0.5 + WITHIN) == ref(1)


def test_age_is_that_of_the_oldest_yes_that_waits_also_while_it_fails() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    assert queue.age(7.0) == 0.0
    queue.used(ref(1), 1.0, 1.0)
    queue.used(ref(2), 2.0, 2.0)
    assert queue.age(3.0) == 2.0
    assert queue.take(3.0) == ref(1)
    queue.failed(ref(1))
    assert queue.age(4.0) == 3.0
    assert queue.take(4.0) == ref(2), "others go first"
    queue.verified(ref(2), 4.0)
    assert queue.age(9.0) == 8.0
    assert queue.take(9.0) == ref(1)
    queue.verified(ref(1), 9.0)
    assert queue.age(9.0) == 0.0


def test_what_could_not_be_verified_does_not_wait_for_another_turn() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    for number in (1, 2, 3):
        queue.used(ref(number), 0.0, 0.0)
    assert drained(queue, 0.0) == [ref(1), ref(2), ref(3)]
    for number, since in ((1, 1.0), (2, 1.0), (3, 4.0)):
        queue.used(ref(number), since, since)
    assert queue.take(1.0 + WITHIN) == ref(1)
    queue.failed(ref(1))
    assert queue.take(1.0 + WITHIN) == ref(2), "what is due goes first"
    queue.failed(ref(2))
    assert drained(queue, 1.0 + WITHIN) == [ref(1), ref(2)], "the next one is not due yet"
    assert drained(queue, 4.0 + WITHIN) == [ref(3)]


def test_it_remembers_no_more_than_what_was_verified_lately() -> None:
    queue = VerificationQueue(RATE, WITHIN)
    for number in range(1000):
        queue.used(ref(number), number, number)
        assert drained(queue, number) == [ref(number)]
    assert len(queue._verified) <= WITHIN + 1
    assert not queue._unknown
