"""Gates that cannot be reached, hang, cannot decide or end under load: every gateway says no, soon, and comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

import pytest

from cluster import LocalCluster
from tests.gateways.arena import Arena, Running
from tests.gateways.caller import Answer
from tests.gateways.table import TRAITS
from tests.toolkit.waiting import eventually

#: Callers at the same time, each on a connection of its own.
_CALLERS = 4


@pytest.fixture
def stirred(arena: Arena) -> Iterator[Arena]:
    """Afterwards all runs again as before."""
    yield arena
    for gate in arena.product.gates:
        if gate.running:
            gate.resume()
    arena.until_passes()


def _all_call(arena: Arena) -> dict[str, tuple[Answer, float]]:
    """One call with the good token through each gateway, all at the same time; answers and seconds."""

    def call(gateway: Running) -> tuple[Answer, float]:
        with gateway.caller(arena.token) as caller:
            began = time.monotonic()
            return caller.call(), time.monotonic() - began

    with ThreadPoolExecutor(len(arena.gateways)) as pool:
        return dict(zip(arena.gateways, pool.map(call, arena.gateways.values()), strict=True))


@pytest.mark.rule(17)
def test_without_a_gate_nothing_passes(stirred: Arena) -> None:
    for gate in stirred.product.gates:
        gate.kill()
    for _ in range(2):
        told = _all_call(stirred)
        assert not any(answer.of_api for answer, _ in told.values())
        statuses = {name: answer.status for name, (answer, _) in told.items()}
        assert all(status in TRAITS[name].unreachable for name, status in statuses.items()), statuses
        slow = {name: seconds for name, (_, seconds) in told.items() if seconds > TRAITS[name].unreachable_seconds}
        assert not slow


@pytest.mark.rule(17)
def test_gates_that_hang_hold_nobody_up_for_long(stirred: Arena) -> None:
    for gate in stirred.product.gates:
        gate.pause()
    for _ in range(2):
        told = _all_call(stirred)
        assert not any(answer.of_api for answer, _ in told.values())
        statuses = {name: answer.status for name, (answer, _) in told.items()}
        assert all(status in TRAITS[name].frozen for name, status in statuses.items()), statuses
        slow = {name: seconds for name, (_, seconds) in told.items() if seconds > TRAITS[name].frozen_seconds}
        assert not slow


def test_with_one_gate_that_hangs_all_goes_on_by_the_other(stirred: Arena) -> None:
    """While a gateway finds out calls may fail, which is a no; then none does."""
    stirred.product.gates[0].pause()

    def passes(gateway: Running) -> Callable[[], bool]:
        def probe() -> bool:
            with gateway.caller(stirred.token) as caller:
                answers = [caller.call() for _ in range(20)]
            assert all(answer.of_api == (answer.status == 200) for answer in answers)
            return all(answer.of_api for answer in answers)

        return probe

    for name, gateway in stirred.gateways.items():
        eventually(f"{name} goes on", passes(gateway))


@pytest.mark.rule(17)
def test_gates_that_cannot_decide_are_503(stirred: Arena) -> None:
    cluster = stirred.product.stage.cluster
    assert isinstance(cluster, LocalCluster)
    cluster.pause_api_server()
    try:
        stirred.until_gates_say(503)
        told = _all_call(stirred)
    finally:
        cluster.resume_api_server()
        stirred.product.operator.stop()  # its Lease may be lost while it still says that it leads
    assert not any(answer.of_api for answer, _ in told.values())
    statuses = {name: answer.status for name, (answer, _) in told.items()}
    assert all(status == TRAITS[name].undecided for name, status in statuses.items()), statuses


@dataclass
class Load:
    """Calls without a pause: how many passed, and what those that did not were told, after how many seconds."""

    passed: int = 0
    failed: list[tuple[str, float]] = field(default_factory=list)

    def more(self, calls: int) -> None:
        """Wait until so many more calls are answered."""
        target = self.passed + len(self.failed) + calls
        eventually(f"{calls} more calls", lambda: self.passed + len(self.failed) >= target)


@contextmanager
def _load(gateway: Running, token: str) -> Iterator[Load]:
    """Several callers, until the block ends."""
    load, over = Load(), threading.Event()

    def call() -> None:
        with gateway.caller(token) as caller:
            while not over.is_set():
                began = time.monotonic()
                try:
                    answer = caller.call()
                except (OSError, HTTPException) as error:
                    told = repr(error)
                else:
                    told = (
                        "" if answer.status == 200 else f"{answer.status} {answer.body[:60]!r} of API: {answer.of_api}"
                    )
                if told:
                    load.failed.append((told, round(time.monotonic() - began, 3)))
                else:
                    load.passed += 1

    threads = [threading.Thread(target=call) for _ in range(_CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_one_of_two_gates_ends_and_comes_back_under_load_and_no_call_fails(stirred: Arena, gateway: Running) -> None:
    leaving = stirred.product.gates[1]
    with _load(gateway, stirred.token) as load:
        load.more(100)
        leaving.stop()
        load.more(200)
        leaving.start()
        load.more(200)
    assert load.failed == []


@pytest.mark.rule(16)
def test_the_first_answer_after_a_suspension_is_401_on_every_open_connection_20_times(arena: Arena) -> None:
    """Once the gates know, no gateway says anything else: none keeps an answer."""
    admin = arena.product.admin
    callers = {name: gateway.caller(arena.token) for name, gateway in arena.gateways.items()}

    def turn(desired: str, status: int) -> None:
        admin.patch("apiclients", "shop", "billing", {"spec": {"desiredStatus": desired}})
        arena.until_gates_say(status)
        answers = {name: caller.call().status for name, caller in callers.items()}
        assert answers == dict.fromkeys(callers, status)

    try:
        turn("Available", 200)
        for _ in range(20):
            turn("Suspended", 401)
            turn("Available", 200)
    finally:
        admin.patch("apiclients", "shop", "billing", {"spec": {"desiredStatus": "Available"}})
        arena.until_passes()
        for caller in callers.values():
            caller.close()
    opened = {name: caller.connections for name, caller in callers.items()}
    assert opened == dict.fromkeys(callers, 1), "refusals leave connections open"
