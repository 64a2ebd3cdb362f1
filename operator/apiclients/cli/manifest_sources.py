"""Where manifests come from: folders, files, revisions of the Git repository one stands in, standard input.

Nothing of it is run: no generators, no filters, no hooks. Git's objects are read as they are stored, without a
checkout; links are not followed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from apiclients.cli.errors import CliError
from apiclients.plan.manifests import SourceFile, Tree

STDIN = "-"
#: Says that a name is a revision, where a folder has the same name.
GIT_PREFIX = "git:"
_SUFFIXES = (".yaml", ".yml", ".json")
_NAMES = ("Kustomization",)
#: No honest manifest is larger; the same for all of a tree.
_FILE_BYTES = 16 * 1024 * 1024
_TREE_BYTES = 256 * 1024 * 1024
_GIT_SECONDS = 60
_SHORT = 12


def read_tree(name: str) -> Tree:
    """The manifests that a name means. Raises CliError."""
    if name == STDIN:
        return Tree("stdin", (SourceFile("stdin", _stdin()),))
    path = Path(name)
    if not name.startswith(GIT_PREFIX) and path.exists():
        return Tree(_shown(name), tuple(_files(path)))
    return _revision(name.removeprefix(GIT_PREFIX))


def _stdin() -> str:
    """What comes in. Nothing at all is an error: what failed before the pipe must not read as "delete everything"."""
    text = _text(sys.stdin.buffer.read(_TREE_BYTES + 1), "stdin", _TREE_BYTES)
    if not text.strip():
        raise CliError(
            "standard input is empty: did the command before the pipe fail? "
            "To plan for no manifests at all, pass an empty folder"
        )
    return text


def merge_base(base: str, head: str) -> str:
    """The commit at which two revisions parted. Raises CliError."""
    if head == STDIN or (not head.startswith(GIT_PREFIX) and Path(head).exists()):
        head = "HEAD"
    one, other = _commit(base.removeprefix(GIT_PREFIX)), _commit(head.removeprefix(GIT_PREFIX))
    found = _git("merge-base", one, other).decode().strip()
    return f"{GIT_PREFIX}{found}"


def _files(path: Path) -> Iterator[SourceFile]:
    if path.is_file():
        yield _file(path)
        return
    total = 0
    for folder, subfolders, names in os.walk(path, followlinks=False):
        subfolders[:] = sorted(name for name in subfolders if name != ".git")
        for name in sorted(names):
            file = Path(folder, name)
            if _is_manifest(name) and not file.is_symlink() and file.is_file():
                total += file.stat().st_size
                _bound(total, str(path))
                yield _file(file)


def _file(path: Path) -> SourceFile:
    try:
        with path.open("rb") as stream:
            data = stream.read(_FILE_BYTES + 1)
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}") from error
    return SourceFile(_shown(path.as_posix()), _text(data, str(path), _FILE_BYTES))


def _shown(name: str) -> str:
    """A name for people: bytes in it that are no text become marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _is_manifest(name: str) -> bool:
    return name.endswith(_SUFFIXES) or name in _NAMES


def _text(data: bytes, name: str, most: int) -> str:
    if len(data) > most:
        raise CliError(f"{name} is larger than {most // 1024 // 1024} MiB: pass the manifests alone")
    # Bytes that are no UTF-8 become a mark that YAML takes for text: the finding is then about the field.
    return data.decode("utf-8-sig", errors="replace")


def _bound(total: int, name: str) -> None:
    if total > _TREE_BYTES:
        raise CliError(f"{name} holds more than {_TREE_BYTES // 1024 // 1024} MiB of YAML: name a folder in it")


# Git


def _revision(name: str) -> Tree:
    """``main``, or a folder of it: ``main:clients``."""
    revision, _, folder = name.partition(":")
    commit = _commit(revision)
    folder = str(PurePosixPath(folder)) if folder else ""
    revision = _shown(revision)
    label = f"{revision} ({commit[:_SHORT]})" if revision != commit else commit[:_SHORT]
    return Tree(f"{label}:{folder}" if folder else label, tuple(_blobs(commit, folder)))


def _commit(revision: str) -> str:
    if not revision or revision.startswith("-"):
        raise CliError(f"{revision!r} is neither a folder nor a revision")
    done = _run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode != 0:
        fetch = f". In a shallow clone fetch it first: git fetch --depth=1 origin {revision}"
        hint = "" if revision.startswith((".", "/")) else fetch
        raise CliError(f"{revision} is neither a folder here nor a revision of a Git repository here{hint}")
    return done.stdout.decode().strip()


def _blobs(commit: str, folder: str) -> Iterator[SourceFile]:
    # --full-tree: the whole repository, wherever in it one stands.
    listed = _git("ls-tree", "-r", "-z", "--full-tree", commit, "--", *([f":(literal){folder}"] if folder else []))
    wanted = [line.split("\t", 1) for line in listed.decode(errors="surrogateescape").split("\0") if line]
    found = [
        (path, meta.split()[2]) for meta, path in wanted if _is_regular(meta) and _is_manifest(path.split("/")[-1])
    ]
    if folder and not wanted:
        raise CliError(f"{commit[:_SHORT]} has no folder {folder}")
    for (path, _), data in zip(found, _contents([blob for _, blob in found]), strict=True):
        shown = _shown(path)
        yield SourceFile(shown, _text(data, shown, _FILE_BYTES))


def _is_regular(meta: str) -> bool:
    """Whether it is a file: no link, no submodule."""
    mode, kind, _ = meta.split()
    return kind == "blob" and mode in ("100644", "100755")


def _contents(blobs: list[str]) -> Iterator[bytes]:
    """The bytes of many blobs by one process."""
    if not blobs:
        return
    answer = _git("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode())
    position = total = 0
    for _ in blobs:
        end = answer.index(b"\n", position)
        header = answer[position:end].split()
        if len(header) != 3:
            raise CliError(f"Git lacks the object {header[0].decode()}: fetch the revision in full")
        size = int(header[2])
        total += size
        _bound(total, "the revision")
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
            command, input=stdin or b"", capture_output=True, timeout=_GIT_SECONDS, env=environment, check=False
        )
    except FileNotFoundError:
        raise CliError("git is not there: install it, or pass folders") from None
    except subprocess.TimeoutExpired:
        raise CliError(f"git {arguments[0]} did not end within {_GIT_SECONDS} s") from None
