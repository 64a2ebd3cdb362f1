"""What most tests of the gate start from."""

from collections.abc import AsyncIterator

import pytest

from tests.gate.support import Caller, World, calling


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def call(world: World) -> AsyncIterator[Caller]:
    async with calling(world) as caller:
        yield caller
