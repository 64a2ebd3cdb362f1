"""Tests that need the real API server are found and marked, and its programs are built before any time limit runs.

With several workers, the tests of a file stay together (``--dist loadfile``), and folders come one after another: so
each worker has one cluster at a time, which ends with its folder.
"""

import inspect
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cluster import ClusterError
from cluster.binaries import ensure_binaries, find_binaries
from cluster.node.binaries import ensure_node_binaries

# How long an example takes tells how busy the machine is, not whether the code is right.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A shell starts its background jobs with SIGINT ignored, and programs inherit that: those of the tests are to see it.
signal.signal(signal.SIGINT, signal.default_int_handler)

_HERE = Path(__file__).parent
#: These start clusters, whatever their fixtures are.
_WITH_CLUSTER = (_HERE / "cluster", _HERE / "faults", _HERE / "cluster_program" / "test_local_cluster.py")
#: Folders whose tests take the longest: they begin, so that no worker is left with one of them at the end.
_LONGEST = ("cluster", "faults", "gateways", "cli", "gate", "manifests", "kube", "cluster_program", "plan")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark with ``cluster`` what is known to start clusters, and each test one of whose fixtures is a cluster.

    Then put the folders whose tests take the longest first.
    """
    for item in items:
        places = {item.path, *item.path.parents}
        if places.intersection(_WITH_CLUSTER) or _uses_cluster(item):
            item.add_marker("cluster")
    items.sort(key=_turn)


def _folder(item: pytest.Item) -> str:
    """The folder below ``tests`` that a test is in."""
    return item.path.relative_to(_HERE).parts[0]


def _turn(item: pytest.Item) -> int:
    """When its turn is: those with a cluster begin."""
    folder = _folder(item)
    if not item.get_closest_marker("cluster"):
        return len(_LONGEST) + 1
    return _LONGEST.index(folder) if folder in _LONGEST else len(_LONGEST)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the cluster's programs, once per machine: that takes minutes, and no test could wait for it."""
    if session.config.option.collectonly:
        return
    with_cluster, with_node = (
        any(item.get_closest_marker(mark) for item in session.items) for mark in ("cluster", "pods")
    )
    capture: Any = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        if with_cluster and not find_binaries():
            ensure_binaries()
        if with_node:
            _ensure_node()


def _ensure_node() -> None:
    """Build the node's programs too, or end the run with one sentence where no node can run."""
    try:
        ensure_node_binaries()
    except ClusterError as error:
        pytest.exit(f"Real pods cannot run here. {error}", returncode=1)


def _uses_cluster(item: pytest.Item) -> bool:
    """Whether a fixture of the test is, by its annotation, a cluster."""
    fixtures: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return any(_gives_cluster(found[-1].func) for found in fixtures.values() if found)


def _gives_cluster(function: Any) -> bool:
    return "Cluster" in str(inspect.signature(function).return_annotation)
