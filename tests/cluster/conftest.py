"""One cluster with the whole product on it, shared by most tests; each test has a namespace of its own."""

import contextlib
from collections.abc import Callable, Generator, Iterator

import pytest

from demo.service import Service
from tests.cluster.newer import Scene, make_newer, scene_on
from tests.cluster.teams import team_on
from tests.toolkit.product import Product, Team, product_on, staged

_LOG_LINES = 40


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on a cluster whose CRDs are those of a newer version."""
    with staged(tmp_path_factory.mktemp("newer")) as stage:
        product = product_on(stage)
        make_newer(product)
        product.ensure()
        yield product


@pytest.fixture
def scene(newer: Product) -> Scene:
    """Clients, an Api, contracts, an approval and a hold, as the operator has settled them."""
    newer.ensure()
    return scene_on(newer)


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
