"""One cluster, two gates, one API and all gateways, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.gateways.arena import Arena, Running, opened
from tests.gateways.table import GATEWAY_NAMES


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Everything: use ``arena``, which sees to it that it runs."""
    with opened(tmp_path_factory.mktemp("gateways")) as found:
        yield found


@pytest.fixture
def arena(shared: Arena) -> Arena:
    """Both gates run, whatever the test before has done, and every gateway lets the good token pass."""
    if any(not gate.is_ready() for gate in shared.product.gates):
        shared.until_passes()
    return shared


@pytest.fixture(params=GATEWAY_NAMES)
def gateway(arena: Arena, request: pytest.FixtureRequest) -> Running:
    """Each of them in turn."""
    return arena.gateways[request.param]
