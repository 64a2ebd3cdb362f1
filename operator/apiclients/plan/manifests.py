"""Manifests: the project's objects in files, with the place of every field. Other kinds are passed over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apiclients.plan.kustomization import kustomization_findings
from apiclients.plan.model import Finding, Location
from apiclients.plan.schema_check import KINDS_BY_NAME, Problem, check, path_text
from apiclients.plan.yaml_marks import Document, Marked, Path, YamlError, documents, parse
from apiclients.resources.names import API_VERSION, GROUP
from apiclients.resources.plan_rules import (
    DUPLICATE,
    INVALID_FIELD,
    INVALID_YAML,
    NO_NAMESPACE,
    UNKNOWN_KIND,
    PlanRule,
)
from apiclients.resources.refs import ObjectRef

_LOCAL_CONFIG = "config.kubernetes.io/local-config"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read."""

    path: str
    text: str
    #: Why nobody can apply it as it is, such as another encoding than UTF-8; ``text`` is what it seems to say.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """All files of base or head."""

    #: How people call it: a folder, or a revision with its commit.
    label: str
    files: tuple[SourceFile, ...]
    #: The folder or file that was read, as the paths of ``files`` begin.
    root: str = ""

    def inside(self, path: str) -> str:
        """A path as it is within the tree, for comparing it with another tree; empty for a single file."""
        return path.removeprefix(self.root).removeprefix("/")


@dataclass(frozen=True, slots=True)
class Unread:
    """A document, or a whole file, from which objects of ours could not be made out."""

    #: Within the tree.
    path: str
    text: str
    location: Location
    problem: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as it is written."""

    id: ObjectRef
    content: Mapping[str, Any]
    location: Location
    #: Of its file, within the tree.
    path: str
    problems: tuple[Problem, ...]
    _lines: Mapping[Path, int] = field(repr=False)
    _offset: int
    _prefix: Path

    @property
    def refused(self) -> bool:
        """Whether the API server would refuse it as it is."""
        return any(problem.refused for problem in self.problems)

    def with_content(self, content: Mapping[str, Any]) -> "Manifest":
        """The same object with something else in it, at the same place."""
        return replace(self, content=content, problems=())

    def place(self, *path: str | int) -> Location:
        """Where a field is written; the nearest field around it that is."""
        for end in range(len(path), -1, -1):
            line = self._lines.get((*self._prefix, *path[:end]))
            if line is not None:
                return Location(self.location.file, self._offset + line)
        return self.location


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of base or head, and what is wrong with them."""

    label: str
    objects: Mapping[ObjectRef, Manifest]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...] = ()
    #: Made from the live objects, so these cannot differ from it.
    is_live: bool = False
    #: All files, by their paths within the tree.
    files: Mapping[str, SourceFile] = field(default_factory=dict, repr=False)

    def usable(self) -> Iterator[Manifest]:
        """Those that the API server would take."""
        return (manifest for manifest in self.objects.values() if not manifest.refused)


NOTHING = Manifests("nothing", {}, ())


@dataclass(frozen=True, slots=True)
class _Object:
    """An object of a document, by its position there; the same for every file that holds the same text."""

    kind: str
    namespace: str | None
    name: str | None
    content: Mapping[str, Any]
    prefix: Path
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Parsed:
    marked: Marked | None
    objects: tuple[_Object, ...] = ()
    error: YamlError | None = None


class Reader:
    """Reads trees. A document that stands in both trees, wherever, is parsed once."""

    def __init__(self, default_namespace: str | None = None) -> None:
        """``default_namespace`` is where objects without one go."""
        self._namespace = default_namespace
        self._parsed: dict[str, _Parsed] = {}

    def read(self, tree: Tree) -> Manifests:
        """The objects of a tree; of two with one name the later counts, as kubectl would have it. Never raises."""
        reading = _Reading(tree, self._namespace)
        for file in sorted(tree.files, key=lambda file: file.path):
            if file.problem is not None:
                reading.pass_over(file)
                continue
            reading.findings += kustomization_findings(file.path, tree.inside(file.path), file.text)
            for document in documents(file.text):
                if GROUP in document.text:
                    reading.take(file, document, self._parse(document.text))
        return reading.manifests()

    def _parse(self, text: str) -> _Parsed:
        known = self._parsed.get(text)
        if known is None:
            try:
                marked = parse(text)
                known = _Parsed(marked, tuple(_objects(marked)) if marked is not None else ())
            except YamlError as error:
                known = _Parsed(None, error=error)
            self._parsed[text] = known
        return known


@dataclass(slots=True)
class _Reading:
    """What has been read of one tree so far."""

    tree: Tree
    default_namespace: str | None
    objects: dict[ObjectRef, Manifest] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def pass_over(self, file: SourceFile) -> None:
        """A file that nobody can apply; it is ours if it seems to mention us."""
        if GROUP in file.text:
            self._unreadable(Unread(self.tree.inside(file.path), file.text, Location(file.path, 1), str(file.problem)))

    def take(self, file: SourceFile, document: Document, parsed: _Parsed) -> None:
        """The objects of a document."""
        path = self.tree.inside(file.path)
        if parsed.error is not None:
            place = Location(file.path, document.offset + parsed.error.line)
            self._unreadable(Unread(path, document.text, place, f"not valid YAML: {parsed.error.problem}"))
        lines = parsed.marked.lines if parsed.marked else {}
        for found in parsed.objects:
            manifest = self._manifest(found, lines, file, document.offset)
            unidentified = _unidentified(found)
            if unidentified is None:
                self._add(found, manifest)
                continue
            self.unread.append(Unread(path, document.text, manifest.location, unidentified.message))
            self.findings.append(_finding(manifest, unidentified))

    def manifests(self) -> Manifests:
        """All of the tree."""
        for manifest in self.objects.values():
            self.findings += (_finding(manifest, problem) for problem in manifest.problems)
        files = {self.tree.inside(file.path): file for file in self.tree.files}
        return Manifests(self.tree.label, self.objects, tuple(self.findings), tuple(self.unread), files=files)

    def _unreadable(self, what: Unread) -> None:
        self.unread.append(what)
        self.findings.append(Finding(INVALID_YAML.id, INVALID_YAML.level, what.problem, None, what.location, "yaml"))

    def _manifest(self, found: _Object, lines: Mapping[Path, int], file: SourceFile, offset: int) -> Manifest:
        line = lines.get((*found.prefix, "metadata", "name"), lines.get(found.prefix, 1))
        namespace = found.namespace or self.default_namespace or "default"
        name = ObjectRef(found.kind, namespace if _has_namespace(found) else "", found.name or "?")
        return Manifest(
            id=name,
            content=found.content,
            location=Location(file.path, offset + line),
            path=self.tree.inside(file.path),
            problems=found.problems,
            _lines=lines,
            _offset=offset,
            _prefix=found.prefix,
        )

    def _add(self, found: _Object, manifest: Manifest) -> None:
        name = manifest.id
        if found.namespace is None and self.default_namespace is None and _has_namespace(found):
            message = f"{name.kind} {name.name} has no metadata.namespace; planned in {name.namespace}"
            self.findings.append(_of(manifest, NO_NAMESPACE, message, "namespace"))
        if name in self.objects:
            message = f"{name} is declared in {self.objects[name].location} already; this one was planned"
            self.findings.append(_of(manifest, DUPLICATE, message, "duplicate"))
        self.objects[name] = manifest


def _has_namespace(found: _Object) -> bool:
    kind = KINDS_BY_NAME.get(found.kind)
    return kind is None or kind.namespaced


def _objects(marked: Marked) -> Iterator[_Object]:
    yield from _objects_in(marked.value, ())


def _objects_in(value: object, prefix: Path) -> Iterator[_Object]:
    if not isinstance(value, dict) or not isinstance(value.get("apiVersion"), str):
        return
    kind, items = value.get("kind"), value.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            yield from _objects_in(item, (*prefix, "items", number))
    elif value["apiVersion"].split("/")[0] == GROUP and not _is_local(value):
        yield _object(value, kind if isinstance(kind, str) else "?", prefix)


def _is_local(value: dict[str, Any]) -> bool:
    """Whether kustomize, and so what applies with it, leaves the object out of what is applied."""
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and annotations.get(_LOCAL_CONFIG) == "true"


def _object(value: dict[str, Any], kind: str, prefix: Path) -> _Object:
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    problems = tuple(check(kind, value)) if kind in KINDS_BY_NAME else ()
    return _Object(kind, _name(names.get("namespace")), _name(names.get("name")), value, prefix, problems)


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _unidentified(found: _Object) -> Problem | None:
    """Why nobody knows which object it is; None when it is known."""
    version = found.content.get("apiVersion")
    if found.kind not in KINDS_BY_NAME or version != API_VERSION:
        return Problem(UNKNOWN_KIND, ("kind",), f"there is no kind {found.kind} in {version}")
    if found.name is None:
        return next((problem for problem in found.problems if problem.path[:1] == ("metadata",)), None)
    return None


def _finding(manifest: Manifest, problem: Problem) -> Finding:
    hint = ""
    if problem.rule is INVALID_FIELD and problem.refused:
        hint = "; the API server refuses the object"
    return Finding(
        problem.rule.id,
        problem.rule.level,
        f"{problem.message}{hint}",
        manifest.id,
        manifest.place(*problem.path),
        path_text(problem.path),
    )


def _of(manifest: Manifest, rule: PlanRule, message: str, subject: str) -> Finding:
    return Finding(rule.id, rule.level, message, manifest.id, manifest.location, subject)


def read_all(trees: Iterable[Tree], default_namespace: str | None = None) -> list[Manifests]:
    """Read several trees with one reader."""
    reader = Reader(default_namespace)
    return [reader.read(tree) for tree in trees]
