"""Files of revisions of the Git repository that one stands in.

Git's objects are read as they are stored, without a checkout: no filters, no hooks, no links followed.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from apiclients.cli.errors import CliError

_SECONDS = 60
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and what of it is meant."""

    #: As it was asked for.
    name: str
    commit: str
    #: Folder or file within the repository, empty for all of it; None: not said.
    folder: str | None

    @property
    def label(self) -> str:
        """As people call it: ``main (4f2c1e9ab03d):clients``."""
        short = self.commit[:_SHORT]
        label = f"{shown(self.name)} ({short})" if self.name != self.commit else short
        return f"{label}:{shown(self.folder)}" if self.folder else label


def revision(name: str) -> Revision:
    """``main``, or a folder of it: ``main:clients``; ``main:`` is all of it. Raises CliError."""
    rev, separator, folder = name.partition(":")
    return Revision(rev, _commit(rev), _normal(folder) if separator else None)


def merge_base(one: str, other: str) -> Revision:
    """The commit at which two revisions parted; the folder is that of the first. Raises CliError."""
    ours, theirs = revision(one), revision(other)
    found = _git("merge-base", ours.commit, theirs.commit).decode().strip()
    return Revision(found, found, ours.folder)


def names() -> list[str]:
    """Branches, remote ones too, and tags. Raises CliError."""
    return _git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags").decode().split()


def place_in_repository(path: Path) -> str | None:
    """Where a path lies within the repository that one stands in; None outside of it. Raises CliError without Git."""
    done = _run("rev-parse", "--show-toplevel")
    if done.returncode != 0:
        return None
    top, absolute = Path(os.fsdecode(done.stdout.removesuffix(b"\n"))).resolve(), path.resolve()
    return _normal(absolute.relative_to(top).as_posix()) if absolute.is_relative_to(top) else None


def has_folder(rev: Revision) -> bool:
    """Whether the folder (or file) of a revision is there. Raises CliError."""
    return not rev.folder or _run("cat-file", "-e", f"{rev.commit}:{rev.folder}").returncode == 0


def blobs(rev: Revision, wanted: Callable[[str], bool], bound: Callable[[int], None]) -> Iterator[tuple[str, bytes]]:
    """Paths and bytes of the files with wanted names. ``bound`` is told of the bytes so far. Raises CliError."""
    found = [
        (path, meta.split()[2]) for meta, path in _listed(rev) if _is_regular(meta) and wanted(path.split("/")[-1])
    ]
    contents = _contents([blob for _, blob in found], bound)
    yield from zip((path for path, _ in found), contents, strict=True)


def shown(name: str) -> str:
    """A name for people: bytes in it that are no text become marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _commit(name: str) -> str:
    if not name or name.startswith("-"):
        raise CliError(f"{name!r} is neither a folder nor a revision")
    done = _run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode != 0:
        fetch = f". In a shallow clone fetch it first: git fetch --depth=1 origin {name}"
        hint = "" if name.startswith((".", "/")) else fetch
        raise CliError(f"{name} is neither a folder here nor a revision of a Git repository here{hint}")
    return done.stdout.decode().strip()


def _normal(folder: str) -> str:
    path = str(PurePosixPath(folder))
    return "" if path == "." else path


def _listed(rev: Revision) -> list[tuple[str, str]]:
    """Mode, kind and blob of each file, with its path."""
    # --full-tree: the whole repository, wherever in it one stands.
    inside = [f":(literal){rev.folder}"] if rev.folder else []
    listed = _git("ls-tree", "-r", "-z", "--full-tree", rev.commit, "--", *inside)
    lines = (line.partition("\t") for line in listed.decode(errors="surrogateescape").split("\0") if line)
    return [(meta, path) for meta, _, path in lines]


def _is_regular(meta: str) -> bool:
    """Whether it is a file: no link, no submodule."""
    mode, kind, _ = meta.split()
    return kind == "blob" and mode in ("100644", "100755")


def _contents(names: list[str], bound: Callable[[int], None]) -> Iterator[bytes]:
    """The bytes of many blobs by one process."""
    if not names:
        return
    answer = _git("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode())
    position = total = 0
    for _ in names:
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3:
            raise CliError(f"Git lacks the object {header[0].decode()}: fetch the revision in full")
        size = int(header[2])
        total += size
        bound(total)
        yield answer[end + 1 : end + 1 + size]
        position = end + 1 + size + 1


def _git(*arguments: str, stdin: bytes | None = None) -> bytes:
    done = _run(*arguments, stdin=stdin)
    if done.returncode != 0:
        raise CliError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _run(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    # Reading objects runs nothing of the tree; what the repository's own configuration could start is switched off.
    command = ["git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    environment = os.environ | {
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        return subprocess.run(  # noqa: S603 - no shell; revisions come after --end-of-options
            command, input=stdin or b"", capture_output=True, timeout=_SECONDS, env=environment, check=False
        )
    except FileNotFoundError:
        raise CliError("git was not found: install it, or pass folders") from None
    except subprocess.TimeoutExpired:
        raise CliError(f"git {arguments[0]} did not end within {_SECONDS} s") from None
