"""Is this machine's clock right (rule 26)? The server's `Date` is the witness."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from apiclients.kube.clock import ClockWatch

pytestmark = pytest.mark.rule(26)


class World:
    """A server with the true time, and a machine whose wall clock is off by `error` seconds."""

    def __init__(self, error: float = 0.0) -> None:
        self.elapsed = 100.0
        self.error = error
        self.watch = ClockWatch(lambda: self.true + self.error, lambda: self.elapsed)

    @property
    def true(self) -> float:
        return 1_700_000_000.25 + self.elapsed

    def ask(self, latency: float = 0.02) -> None:
        """One request: the server writes `Date`, in whole seconds, half-way."""
        started = self.elapsed
        self.elapsed += latency / 2
        date = formatdate(int(self.true), usegmt=True)
        self.elapsed += latency / 2
        self.watch.observe(date, started, self.elapsed)

    @property
    def offset(self) -> float:
        assert self.watch.offset_seconds is not None
        return self.watch.offset_seconds


def test_nothing_is_known_before_the_first_answer() -> None:
    watch = ClockWatch()
    assert watch.offset_seconds is None
    assert not watch.trusted()


@pytest.mark.parametrize("error", [0.0, 3.0, -29.0, 45.0, -3600.0])
def test_one_answer_tells_the_offset_to_within_a_second(error: float) -> None:
    world = World(error)
    world.ask()
    assert world.offset == pytest.approx(error, abs=0.6)
    assert world.watch.trusted() == (abs(error) < 30)


@pytest.mark.parametrize(("error", "left"), [(0.0, 0.0), (1.2, 1.2), (-1.2, -1.2), (60.0, 0.0), (-60.0, 0.0)])
def test_the_present_is_the_servers_where_this_clock_is_wrong(error: float, left: float) -> None:
    world = World(error)
    assert world.watch.now().timestamp() == pytest.approx(world.true + error)
    world.ask()
    assert world.watch.now().timestamp() - world.true == pytest.approx(left, abs=0.6)


def test_many_answers_narrow_it_down() -> None:
    world = World(7.0)
    for _ in range(40):
        world.elapsed += 0.137
        world.ask(latency=0.01)
    assert world.offset == pytest.approx(7.0, abs=0.12)


def test_a_slow_answer_bounds_the_offset() -> None:
    world = World()
    world.ask(latency=12.0)
    assert abs(world.offset) <= 6.5


def test_a_step_of_the_wall_clock_shows_without_another_answer() -> None:
    world = World()
    world.ask()
    assert world.watch.trusted()
    world.error = 40.0
    assert not world.watch.trusted()
    assert world.watch.trusted(limit=60.0)
    world.error = 0.0
    assert world.watch.trusted()


def test_a_step_of_the_server_or_a_pause_of_the_machine_is_followed() -> None:
    world = World()
    world.ask()
    date = formatdate(int(world.true) + 300, usegmt=True)
    world.watch.observe(date, world.elapsed, world.elapsed + 0.01)
    assert world.offset == pytest.approx(-300, abs=1.1)


def test_slow_drift_is_followed() -> None:
    world = World()
    for _ in range(100):
        world.elapsed += 60.0
        world.error += 0.006  # 100 ppm
        world.ask()
    assert world.offset == pytest.approx(world.error, abs=0.6)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Nov 2026 00:00:00 GMT"])
def test_unreadable_dates_are_ignored(date: str | None) -> None:
    watch = ClockWatch()
    watch.observe(date, 1.0, 2.0)
    assert watch.offset_seconds is None
