"""The harness itself, without a cluster: a prober that sees nothing would prove nothing."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from tests.faults import runner
from tests.faults.arena import Arena
from tests.faults.prober import Prober, Promise
from tests.faults.soak import Course
from tests.faults.stories import Fault, Story, story
from tests.toolkit.waiting import eventually


class FakeGate(ThreadingHTTPServer):
    """Answers whatever it is told to."""

    status = 200


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(cast(FakeGate, self.server).status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[FakeGate]:
    with FakeGate(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def prober(gate: FakeGate) -> Iterator[Prober]:
    with Prober([f"http://127.0.0.1:{gate.server_port}"]) as made:
        yield made


def asked(promise: Promise, status: int) -> None:
    """Wait until some more answers of this kind have come."""
    before = promise.seen[status]
    eventually(f"three more answers {status}", lambda: promise.seen[status] >= before + 3)


@pytest.mark.parametrize(
    ("demand", "status"),
    [("accept", 401), ("accept", 403), ("refuse", 200), ("accept", 500), ("refuse", 500), ("either", 502)],
)
def test_wrong_answer_is_seen(prober: Prober, gate: FakeGate, demand: str, status: int) -> None:
    gate.status = status
    promise = Promise("a test", "token")
    getattr(promise, demand)()
    prober.add(promise)
    asked(promise, status)
    prober.remove(promise)
    with pytest.raises(AssertionError, match=str(status)):
        prober.verify()


@pytest.mark.parametrize(
    ("demand", "status"),
    [("accept", 200), ("accept", 503), ("refuse", 401), ("refuse", 410), ("refuse", 503), ("either", 200)],
)
def test_right_answer_is_none(prober: Prober, gate: FakeGate, demand: str, status: int) -> None:
    gate.status = status
    promise = Promise("a test", "token")
    getattr(promise, demand)()
    prober.add(promise)
    asked(promise, status)
    prober.verify()


def test_refusal_counts_from_its_bound_on(prober: Prober, gate: FakeGate) -> None:
    promise = Promise("a test", "token")
    with promise.ends(within=3600):
        prober.add(promise)
    asked(promise, 200)
    prober.verify()
    promise.refuse(within=0.05)
    eventually("the bound is over", lambda: time.monotonic() > promise.demand.since)
    asked(promise, 200)
    with pytest.raises(AssertionError, match="too late"):
        prober.verify()


def test_story_is_the_same_for_the_same_seed() -> None:
    assert story(7, 30) == story(7, 30)
    assert story(7, 30) != story(8, 30)
    assert any(isinstance(step, Fault) for step in story(7, 30))


def test_failing_story_becomes_short(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = story(7, 30)
    guilty = whole[5], whole[20]

    def fails(arena: Arena, steps: Story) -> str | None:
        return "bad" if all(step in steps for step in guilty) else None

    monkeypatch.setattr(runner, "failure", fails)
    kept = runner.shortened(cast(Arena, None), 7, 30, tries=200)
    assert len(kept) <= 4
    assert all(step in [whole[number] for number in kept] for step in guilty)
    assert runner.replay_command(7, 30, [5, 20]) == "python -m tests.faults --seed 7 --steps 30 --only 5,20"


def test_growth_and_leaks_are_told() -> None:
    def course(mebibytes: list[float], descriptors: list[int]) -> str | None:
        return Course(cast(Any, type("S", (), {"name": "x"})()), 0, mebibytes, descriptors).problem()

    assert course([float(50 + n) for n in range(60)], [20] * 60) == "x grows: 76.0 to 103.0 MiB"
    assert course([50.0] * 60, [20 + n for n in range(60)]) is not None
    assert course([20.0 + n for n in range(20)] + [50.0] * 40, [20] * 60) is None, "that was the warm-up"
