"""Programs of tests that are built from pinned Go modules, once per machine."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from cluster.binaries import cache_folder
from cluster.build import exclusively, find_toolchain, go_environment
from cluster.errors import ClusterError

_BUILD_SECONDS = 1800


def go_program(sources: Path, package: str = ".", tags: str = "") -> Path:
    """The program that ``package`` is in the module of the folder ``sources``, built first if need be.

    ``tags`` are build tags of Go, with commas. Raises ``ClusterError`` if there is no Go tool chain or the build fails.
    """
    files = sorted(path for path in sources.iterdir() if path.suffix in {".go", ".mod", ".sum"})
    digest = hashlib.sha256((package + tags).encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    target = cache_folder().parent.parent / sources.name / digest
    if not target.is_file():
        with exclusively(target):
            if not target.is_file():
                _build(sources, package, tags, target)
    return target


def _build(sources: Path, package: str, tags: str, target: Path) -> None:
    toolchain = find_toolchain()
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        work = Path(folder)
        done = subprocess.run(
            [toolchain.go, "build", f"-tags={tags}", "-trimpath", "-ldflags=-s -w", f"-o={work / 'program'}", package],
            cwd=sources,
            env=go_environment(toolchain, work / "caches", work),
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"{package} in {sources} was not built:\n{done.stderr[-2000:]}")
        shutil.move(work / "program", target)
