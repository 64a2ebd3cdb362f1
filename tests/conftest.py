"""Tests that need the real API server are found and marked, and its programs are built before any time limit runs."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from cluster.binaries import ensure_binaries, find_binaries

_HERE = Path(__file__).parent
#: These start clusters, whatever their fixtures are.
_WITH_CLUSTER = (_HERE / "cluster", _HERE / "faults", _HERE / "cluster_program" / "test_local_cluster.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark with ``cluster`` what is known to start clusters, and each test one of whose fixtures is a cluster."""
    for item in items:
        places = {item.path, *item.path.parents}
        if places.intersection(_WITH_CLUSTER) or _uses_cluster(item):
            item.add_marker("cluster")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the cluster's programs, once per machine: that takes minutes, and no test could wait for it."""
    needed = any(item.get_closest_marker("cluster") for item in session.items)
    if not needed or session.config.option.collectonly or find_binaries():
        return
    capture: Any = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        ensure_binaries()


def _uses_cluster(item: pytest.Item) -> bool:
    """Whether a fixture of the test is, by its annotation, a cluster."""
    fixtures: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(_gives_cluster(found[-1].func) for found in fixtures.values() if found)


def _gives_cluster(function: Any) -> bool:
    return "Cluster" in str(inspect.signature(function).return_annotation)
