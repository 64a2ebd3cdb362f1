"""One arena for most stories; each story has namespaces of its own, and finds everything running and healed."""

from collections.abc import Generator, Iterator

import pytest

from tests.faults.arena import Arena, Team, open_arena

_LOG_LINES = 25


@pytest.fixture(scope="package")
def shared_arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """The arena that stories share: use ``arena``, which sees to it that it runs."""
    with open_arena(tmp_path_factory.mktemp("arena")) as arena:
        yield arena


@pytest.fixture
def arena(shared_arena: Arena) -> Iterator[Arena]:
    """The arena, running and healed, whatever the story before has done to it."""
    shared_arena.cluster.resume_api_server()
    if shared_arena.cluster.etcd_pid is None:
        shared_arena.cluster.start_etcd()
    if shared_arena.cluster.api_server_pid is None:
        shared_arena.cluster.start_api_server()
    shared_arena.ensure()
    yield shared_arena
    shared_arena.prober.verify()


@pytest.fixture
def team(arena: Arena) -> Team:
    """A namespace of the story's own."""
    return arena.team()


@pytest.fixture
def shop(arena: Arena) -> Team:
    """Another one, of those who have an API."""
    return arena.team("shop")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the logs of a story that failed."""
    report = yield
    if report.failed:
        for arena in (value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Arena)):
            for service in arena.stage.services:
                report.sections.append((f"log of {service.name}", service.tail(_LOG_LINES)))
    return report
