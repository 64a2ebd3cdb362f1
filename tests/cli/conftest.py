"""One cluster with operator and gates for the tests of the plugin; each test has a namespace of its own."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.plugin import Plugin, install
from tests.toolkit.product import Product, Team, product_on, staged

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Operator and two gates whose Leases are renewed often."""
    with staged(tmp_path_factory.mktemp("cli")) as stage:
        product = product_on(stage, gate_options=("--lease-interval", "0.5"))
        product.ensure()
        yield product


@pytest.fixture(scope="package")
def installed(running: Product, tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    """The plugin, as an administrator."""
    return Plugin(install(tmp_path_factory.mktemp("bin")), running.stage.cluster.kubeconfig)


@pytest.fixture
def team(running: Product) -> Team:
    """A namespace of the test's own, which stays until the cluster goes; everything runs."""
    running.ensure()
    made = Team(running, f"cli-{next(_NUMBERS)}")
    running.stage.cluster.kubectl("create", "namespace", made.namespace)
    return made


@pytest.fixture
def plugin(installed: Plugin, team: Team) -> Plugin:
    """The plugin in that namespace."""
    return dataclasses.replace(installed, namespace=team.namespace)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty folder for files that Git would hold."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder
