"""One cluster with the whole product on it, shared by most tests; each test has a namespace of its own."""

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import LocalCluster
from demo.service import Service
from demo.stage import Stage
from tests.cluster.product import Product, Team
from tests.cluster.rest import Rest

_NUMBERS = itertools.count(1)
_LOG_LINES = 40


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A cluster of its own with the manifests applied; no program runs yet."""
    with LocalCluster() as cluster, Stage(cluster, folder) as stage:
        stage.install()
        yield stage


def product_on(stage: Stage, *, gate_options: tuple[str, ...] = ()) -> Product:
    """An operator and two gates, not started yet."""
    assert isinstance(stage.cluster, LocalCluster)
    gates = [stage.gate(number, options=gate_options) for number in (0, 1)]
    return Product(stage, Rest(stage.cluster), stage.operator(), gates)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product that most tests share: use ``product``, which sees to it that it runs."""
    with staged(tmp_path_factory.mktemp("shared")) as stage:
        product = product_on(stage)
        product.gateway, product.others = stage.gateway()
        product.ensure()
        yield product


@pytest.fixture
def product(shared: Product, request: pytest.FixtureRequest) -> Product:
    """The shared product, running, whatever the test before has done to it; without its operator with ``alone``."""
    if "alone" in request.fixturenames:
        shared.operator.stop()
    shared.ensure(operator="alone" not in request.fixturenames)
    return shared


@pytest.fixture
def team(product: Product) -> Iterator[Team]:
    """A namespace of the test's own."""
    with team_on(product) as made:
        yield made


@contextmanager
def team_on(product: Product) -> Iterator[Team]:
    """A new namespace; its clients go when the test is over, and the namespace stays: its end would make noise."""
    made = Team(product, f"team-{next(_NUMBERS)}")
    product.stage.cluster.kubectl("create", "namespace", made.namespace)
    yield made
    with contextlib.suppress(OSError):  # a test may have taken the API server away
        product.rest.delete_all("apiclients", made.namespace)


@pytest.fixture
def alone(product: Product) -> Product:
    """The shared product without its operator, for tests that run operators of their own."""
    return product


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Iterator[Callable[[Service], Service]]:
    """Starts further processes, and ends them with the test."""
    launched: list[Service] = []

    def start(service: Service, *, ready_within: float | None = 60.0) -> Service:
        launched.append(service)
        return service.start(ready_within=ready_within)

    yield start
    for service in reversed(launched):
        with contextlib.suppress(OSError):
            service.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the ends of the logs of a test that failed."""
    report = yield
    if report.failed:
        for product in _products(item):
            for service in product.stage.services:
                report.sections.append((f"log of {service.name}", service.tail(_LOG_LINES)))
    return report


def _products(item: pytest.Item) -> list[Product]:
    values = getattr(item, "funcargs", {}).values()
    found = [value.product if isinstance(value, Team) else value for value in values]
    return list({id(one): one for one in found if isinstance(one, Product)}.values())
