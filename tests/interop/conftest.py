"""One scene for the programs of a module, and each program running while its steps are tested."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.interop.steps")  # before it is imported: failures tell the values

from cluster import LocalCluster  # noqa: E402
from tests.interop.dialogue import Dialogue, dialogue  # noqa: E402
from tests.interop.programs import ROOT, MissingToolError, Program  # noqa: E402
from tests.interop.scene import Installation, Scene, scene_in  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster of a module's own."""
    with LocalCluster() as running:
        yield running


@pytest.fixture(scope="module")
def installation() -> Installation:
    """As it is by default; a module may have another."""
    return Installation()


@pytest.fixture(scope="module")
def scene(
    cluster: LocalCluster, installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Operator and gates, an Api and its consumer."""
    with scene_in(cluster, tmp_path_factory.mktemp("scene"), installation) as running:
        yield running


class Launcher:
    """Starts programs, one at a time: the tests of a program follow one another."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._scene = scene
        self._folder = folder
        self._running = contextlib.ExitStack()
        self._name = ""
        self._dialogue: Dialogue | None = None

    def dialogue(self, program: Program) -> Dialogue:
        """The program, built and started if it is not the one that runs. Raises MissingToolError."""
        if self._dialogue is None or self._name != program.name:
            self.stop()
            log, command = self._folder / f"{program.name}.log", program.command()
            started = dialogue(program.name, command, self._scene.environment, log, ROOT)
            self._dialogue, self._name = self._running.enter_context(started), program.name
        return self._dialogue

    def stop(self) -> None:
        """End what runs."""
        self._dialogue = None
        self._running.close()


@pytest.fixture(scope="module")
def launcher(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """What starts the programs of this folder."""
    made = Launcher(scene, tmp_path_factory.mktemp("programs"))
    yield made
    made.stop()


@pytest.fixture
def program(request: pytest.FixtureRequest, launcher: Launcher) -> Dialogue:
    """The program that a test is about."""
    try:
        return launcher.dialogue(request.param)
    except MissingToolError as missing:
        pytest.skip(str(missing))
