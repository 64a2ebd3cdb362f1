"""Where manifests come from: folders, files, revisions of the Git repository one stands in, standard input.

Nothing of it is run: no generators, no filters, no hooks; links are not followed. Where one side is a revision and
does not say which folder, it is that of the other side: whatever lies elsewhere would read as deleted.
"""

import codecs
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apiclients.cli.errors import CliError
from apiclients.cli.git.kustomize import rendered
from apiclients.cli.git.revisions import Revision, blobs, has_folder, merge_base, place_in_repository, revision, shown
from apiclients.plan.manifests import SourceFile, Tree

STDIN = "-"
#: Says that a name is a revision, where a folder has the same name.
GIT_PREFIX = "git:"
_SUFFIXES = (".yaml", ".yml", ".json")
_NAMES = ("Kustomization",)
#: No honest manifest is larger; the same for all of a tree.
_FILE_BYTES = 16 * 1024 * 1024
_TREE_BYTES = 256 * 1024 * 1024
#: The longer mark first: that of UTF-32 begins like that of UTF-16.
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

#: A path, a revision, or None for standard input.
Source = Path | Revision | None


@dataclass(frozen=True, slots=True)
class Sides:
    """What base and head mean, and what a reader should know of that."""

    base: Tree
    head: Tree
    notices: tuple[str, ...] = ()


def read_sides(base: str, head: str, *, parted: bool = False) -> Sides:
    """The manifests of both; with ``parted``, base is the commit at which the two parted. Raises CliError."""
    if base == STDIN and head == STDIN:
        raise CliError("only one of --base and --head can be standard input")
    one, other = _source(base), _source(head)
    if parted:
        one = merge_base(base.removeprefix(GIT_PREFIX), other.name if isinstance(other, Revision) else "HEAD")
    places = (_place(one), _place(other)) if isinstance(one, Revision) or isinstance(other, Revision) else (None, None)
    one, other = _at(one, places[1]), _at(other, places[0])
    if isinstance(one, Revision) and isinstance(other, Revision) and not (has_folder(one) or has_folder(other)):
        raise CliError(f"neither {one.label} nor {other.label} is there: check the name of the folder")
    notices = tuple(_notices(one, other, places))
    return Sides(_tree_or_nothing(one, places[1]), _tree_or_nothing(other, places[0]), notices)


def read_one(name: str) -> Tree:
    """The manifests that a name means. Raises CliError."""
    return _tree_or_nothing(_source(name), None)


def read_files(names: Sequence[str], *, recursive: bool) -> Tree:
    """The manifests of files and folders, as `kubectl -f` takes them. Raises CliError."""
    trees = [read_stdin() if name == STDIN else _read_path(_existing(name), recursive=recursive) for name in names]
    return Tree(", ".join(tree.label for tree in trees), tuple(file for tree in trees for file in tree.files))


def read_kustomization(folder: str) -> Tree:
    """What `kubectl kustomize` makes of a folder. Raises CliError."""
    data = rendered(_existing(folder))
    return Tree(f"kustomize {shown(folder)}", (_source_file(f"{shown(folder)} (rendered)", data, _TREE_BYTES),))


def read_stdin() -> Tree:
    """What comes in. Nothing at all is an error: what failed before the pipe must not read as "delete everything"."""
    file = _source_file("stdin", sys.stdin.buffer.read(_TREE_BYTES + 1), _TREE_BYTES)
    if not file.text.strip():
        raise CliError(
            "standard input is empty: did the command before the pipe fail? "
            "To plan for no manifests at all, pass an empty folder"
        )
    return Tree("stdin", (file,), "stdin")


def _existing(name: str) -> Path:
    path = Path(name)
    if "://" in name:
        raise CliError(f"{name} is a URL: fetch it yourself and pass the file, so that you know what is planned")
    if not path.exists():
        raise CliError(f"{name} is not there: name a file, a folder, or - for standard input")
    return path


def _read_path(path: Path, *, recursive: bool) -> Tree:
    return Tree(shown(str(path)), tuple(_files(path, recursive=recursive)), _root(path))


def _source(name: str) -> Source:
    if name == STDIN:
        return None
    path = Path(name)
    if not name.startswith(GIT_PREFIX) and path.exists():
        return path
    return revision(name.removeprefix(GIT_PREFIX))


def _place(source: Source) -> str | None:
    """Where in the repository a source lies, if it says so."""
    if isinstance(source, Revision):
        return source.folder
    return place_in_repository(source) if source is not None else None


def _at(source: Source, place: str | None) -> Source:
    """A revision that does not say which folder is that of the other side."""
    if isinstance(source, Revision) and source.folder is None:
        return replace(source, folder=place)
    return source


def _notices(base: Source, head: Source, places: tuple[str | None, str | None]) -> Iterator[str]:
    for source, other in ((base, head), (head, base)):
        if isinstance(source, Revision) and source.folder is None and not isinstance(other, Revision):
            yield (
                f"{other or 'Standard input'} is compared with all of {source.label}: what it leaves out reads as "
                f"deleted. Name the folder that it is made from: {shown(source.name)}:FOLDER."
            )
        elif isinstance(source, Revision) and not has_folder(source):
            yield f"{source.label} is not there: it counts as empty."
    if None not in places and places[0] != places[1]:
        yield f"Two different folders are compared: {places[0] or 'all'} of base and {places[1] or 'all'} of head."


def _tree_or_nothing(source: Source, other_place: str | None) -> Tree:
    """The tree of a source; a folder that is on the other side only is empty here."""
    if source is None:
        return read_stdin()
    if isinstance(source, Path):
        return _read_path(source, recursive=True)
    if has_folder(source):
        return _revision_tree(source)
    if source.folder != other_place:
        raise CliError(f"{source.label} is not there: the revision has no such folder")
    return Tree(source.label, (), shown(source.folder or ""))


def _root(path: Path) -> str:
    root = shown(path.as_posix())
    return "" if root == "." else root


def _files(path: Path, *, recursive: bool) -> Iterator[SourceFile]:
    if path.is_file():
        yield _file(path)
        return
    total = 0
    for folder, subfolders, names in os.walk(path, followlinks=False):
        subfolders[:] = sorted(name for name in subfolders if name != ".git") if recursive else []
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
    return _source_file(shown(path.as_posix()), data, _FILE_BYTES)


def _revision_tree(source: Revision) -> Tree:
    found = blobs(source, _is_manifest, lambda total: _bound(total, "the revision"))
    files = tuple(_source_file(shown(path), data, _FILE_BYTES) for path, data in found)
    return Tree(source.label, files, shown(source.folder or ""))


def _is_manifest(name: str) -> bool:
    return name.endswith(_SUFFIXES) or name in _NAMES


def _source_file(name: str, data: bytes, most: int) -> SourceFile:
    if len(data) > most:
        raise CliError(f"{name} is larger than {most // 1024 // 1024} MiB: pass the manifests alone")
    encoding = _other_encoding(data)
    if encoding is not None:
        return SourceFile(name, data.decode(encoding, errors="replace"), f"not UTF-8 but {encoding}: save it as UTF-8")
    # Bytes that are no UTF-8 become a mark that YAML takes for text: the finding is then about the field.
    return SourceFile(name, data.decode("utf-8-sig", errors="replace"))


def _other_encoding(data: bytes) -> str | None:
    """The encoding of text that GitOps tools would not read, by its mark or its first character (YAML 1.2, 5.2)."""
    for mark, encoding in _OTHER_ENCODINGS:
        if data.startswith(mark):
            return encoding
    if data[1:2] == b"\0":
        return "UTF-16LE"
    return "UTF-16BE" if data[:1] == b"\0" and len(data) > 1 else None


def _bound(total: int, name: str) -> None:
    if total > _TREE_BYTES:
        raise CliError(f"{name} holds more than {_TREE_BYTES // 1024 // 1024} MiB of YAML: name a folder in it")
