"""What ``make up`` started is kept running."""

import sys
from pathlib import Path

from demo.__main__ import programs
from demo.service import Service
from demo.supervisor import Supervisor
from tests.toolkit.waiting import eventually


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ending(folder: Path) -> Service:
    """A program that ends as the operator does when its watch is refused."""
    program = "print('Cannot run: the watch was refused')"
    service = Service("operator", [sys.executable, "-c", program], folder / "operator.log")
    return service.start(ready_within=None)


def starts(service: Service) -> int:
    """How often it has run so far."""
    eventually("it ends", lambda: not service.running)
    return service.log.read_text().count("refused")


def test_what_ends_is_started_again_at_once_and_then_less_often(tmp_path: Path) -> None:
    service, clock, said = ending(tmp_path), Clock(), list[str]()
    supervisor = Supervisor([service], said.append, clock)
    assert starts(service) == 1
    supervisor.look()
    assert starts(service) == 2
    supervisor.look()
    assert starts(service) == 2, "not before a pause"
    for number, pause in enumerate((1.0, 2.0, 4.0, 8.0), 3):
        clock.now += pause
        supervisor.look()
        assert starts(service) == number
    assert len(said) == 5
    assert "operator ended and is started again" in said[0]
    assert "the watch was refused" in said[0]


def test_what_ran_for_long_is_not_made_to_wait(tmp_path: Path) -> None:
    service, clock = ending(tmp_path), Clock()
    supervisor = Supervisor([service], lambda _: None, clock)
    for pause in (0.0, 1.0, 2.0, 4.0, 1000.0, 1.0):
        starts(service)
        clock.now += pause
        supervisor.look()
    assert starts(service) == 7


def test_what_runs_is_left_alone(tmp_path: Path) -> None:
    service = Service("gate", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "gate.log")
    service.start(ready_within=None)
    pid = service.pid
    Supervisor([service], lambda _: None).look()
    assert service.pid == pid
    service.stop()


def test_the_plugin_is_where_it_is_said_to_be() -> None:
    assert any((Path(folder) / "kubectl-apiclient").is_file() for folder in programs().split(":"))
    assert any((Path(folder) / "kubectl").is_file() for folder in programs().split(":"))
