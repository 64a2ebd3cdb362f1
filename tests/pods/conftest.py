"""One cluster with a node, on which the chart as shipped is installed, with a load on the gate the whole time."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cluster import NodeCluster
from demo.calls import Credentials, ask_token
from image import debian
from tests.chart.conftest import helm  # noqa: F401 (a fixture)
from tests.pods.gateway import start_gateway
from tests.pods.platform import GATE, RESTRICTED, SYSTEM, Platform, Version
from tests.pods.traffic import TEAM, Calls, Load, start_load
from tests.toolkit.admin import Admin
from tests.toolkit.images import BASE, ROOT, build_image, buildah, private_storage
from tests.toolkit.objects import JsonObject
from tests.toolkit.product import read_credentials
from tests.toolkit.waiting import eventually

_REPOSITORY = "localhost/apiclient-operator"
CURRENT = Version(ROOT / "manifests" / "chart", "current")
_FIGURES: list[str] = []


@dataclass
class Story:
    """What all chapters share: the release, the loads on it, and its clients' tokens by name."""

    platform: Platform
    loads: list[Load]
    tokens: dict[str, str] = field(repr=False)
    figures: list[str] = field(default_factory=lambda: _FIGURES)

    @contextlib.contextmanager
    def during(self) -> Iterator[list[Calls]]:
        """The calls of all loads while something is done, and some before and after."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(load.during()) for load in self.loads]

    def tell(self, chapter: str, text: object) -> None:
        """Keep a figure for the end of the run."""
        self.figures.append(f"{chapter}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    if _FIGURES:
        terminalreporter.section("Figures of real pods")
        for figure in _FIGURES:
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Images of the tests alone, with a base of Debian's packages."""
    with private_storage(tmp_path_factory.mktemp("images")) as folder:
        debian.make_base(BASE)
        yield folder


@pytest.fixture(scope="session")
def current_image(storage: Path) -> Path:
    """The image of the sources as they are, as an archive."""
    return _archive(storage, CURRENT.tag, ROOT)


@pytest.fixture(scope="session")
def previous_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the previous commit."""
    folder = tmp_path_factory.mktemp("previous")
    done = subprocess.run(("git", "archive", "HEAD~1"), cwd=ROOT, capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        pytest.skip("this clone has no previous commit: fetch two commits at least")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def node(current_image: Path) -> Iterator[NodeCluster]:
    """A cluster with real pods, which has the image."""
    with NodeCluster() as cluster:
        cluster.load_image(current_image)
        yield cluster


@pytest.fixture(scope="session")
def previous(storage: Path, previous_sources: Path, node: NodeCluster) -> Version:
    """The chart of the previous commit; the node has its image."""
    node.load_image(_archive(storage, "previous", previous_sources))
    return Version(previous_sources / "manifests" / "chart", "previous")


@pytest.fixture(scope="session")
def platform(node: NodeCluster, helm: Path) -> Platform:  # noqa: F811
    """The chart as shipped, installed where the Pod Security level restricted is enforced."""
    found = Platform(node, helm, Admin(node))
    for namespace in (SYSTEM, TEAM):
        found.admin.apply_namespace(namespace, RESTRICTED)
    found.upgrade(CURRENT)
    return found


@pytest.fixture(scope="session")
def story(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Three clients with tokens, of which one is suspended then; and loads on the Service and on nginx before it."""
    names = ("accepted", "refused", "toggled")
    with platform.forwarded(f"service/{GATE}") as gate:
        tokens = {name: _declare(platform.admin, name, gate) for name in names}
    platform.admin.apply("apiclients", TEAM, "refused", {"desiredStatus": "Suspended"})
    _until_observed(platform.admin, "refused", "Suspended")
    service = platform.admin.get("services", SYSTEM, GATE)["spec"]
    loaded = {name: tokens[name] for name in ("accepted", "refused")}
    address = f"{service['clusterIP']}:{service['ports'][0]['port']}"
    image = f"{_REPOSITORY}:{CURRENT.tag}"
    gateway = start_gateway(platform, address, image, tmp_path_factory.mktemp("gateway"), TEAM)
    ways = {"service": address, "nginx": gateway}
    return Story(platform, [start_load(platform, way, at, image, loaded) for way, at in ways.items()], tokens)


def _archive(storage: Path, tag: str, sources: Path) -> Path:
    name, archive = f"{_REPOSITORY}:{tag}", storage / f"{tag}.tar"
    build_image(name, sources)
    buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
    return archive


def _declare(admin: Admin, name: str, gate: str) -> str:
    """Declare a client, and return a token for it as soon as one is issued."""
    admin.apply("apiclients", TEAM, name, {"desiredStatus": "Available"})
    _until_observed(admin, name, "Available")
    found = read_credentials(admin.get("secrets", TEAM, f"{name}-credentials"))
    credentials = Credentials(found.client_id, found.client_secret, f"http://{gate}/token")

    def issued() -> str | None:
        answer = ask_token(credentials)
        return str(answer.json()["access_token"]) if answer.status == 200 else None

    return eventually(f"{name} gets a token", issued)


def _until_observed(admin: Admin, name: str, status: str) -> JsonObject:
    def observed() -> JsonObject | None:
        obj = admin.get("apiclients", TEAM, name)
        handled = obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
        return obj if handled and obj["status"].get("observedStatus") == status else None

    return eventually(f"{name} is {status}", observed)
