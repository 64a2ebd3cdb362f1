"""Namespaces of tests, numbered in one place: a conftest is loaded by pytest apart from what imports it."""

import contextlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from tests.toolkit.product import Product, Team

_NUMBERS = itertools.count(1)


@contextmanager
def team_on(product: Product) -> Iterator[Team]:
    """A new namespace; its clients go when the test is over, and the namespace stays: its end would make noise."""
    made = Team(product, f"team-{next(_NUMBERS)}")
    product.stage.cluster.kubectl("create", "namespace", made.namespace)
    yield made
    with contextlib.suppress(OSError):  # a test may have taken the API server away
        product.admin.delete_all("apiclients", made.namespace)
