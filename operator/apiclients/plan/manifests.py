"""Manifests: the project's objects in files, with the place of every field. Other kinds are passed over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apiclients.plan.model import Finding, Location, ObjectId
from apiclients.plan.rules import (
    DUPLICATE,
    INVALID_FIELD,
    INVALID_YAML,
    NO_NAMESPACE,
    UNKNOWN_KIND,
    UNRENDERED,
    Rule,
)
from apiclients.plan.schema_check import KINDS_BY_NAME, Problem, check, path_text
from apiclients.plan.yaml_marks import Marked, Path, YamlError, documents, parse
from apiclients.resources.names import API_VERSION, GROUP

#: Fields of a kustomization that change what its resources are.
_TRANSFORMING = frozenset(
    {
        "namePrefix", "nameSuffix", "namespace", "patches", "patchesStrategicMerge", "patchesJson6902", "components",
        "replacements", "vars", "helmCharts", "helmChartInflationGenerator", "generators", "transformers",
        "commonLabels", "commonAnnotations", "labels",
    }
)  # fmt: skip
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """All files of base or head."""

    #: How people call it: a folder, or a revision with its commit.
    label: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object as it is written."""

    id: ObjectId
    content: Mapping[str, Any]
    location: Location
    problems: tuple[Problem, ...]
    _lines: Mapping[Path, int] = field(repr=False)
    _offset: int
    _prefix: Path

    @property
    def refused(self) -> bool:
        """Whether the API server would refuse it as it is."""
        return any(problem.refused for problem in self.problems)

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
    objects: Mapping[ObjectId, Manifest]
    findings: tuple[Finding, ...]

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
        objects: dict[ObjectId, Manifest] = {}
        findings: list[Finding] = []
        for file in sorted(tree.files, key=lambda file: file.path):
            findings += _kustomization(file)
            for document in documents(file.text):
                if GROUP not in document.text:
                    continue
                parsed = self._parse(document.text)
                findings += _yaml_findings(parsed, file.path, document.offset)
                for found in parsed.objects:
                    self._add(found, parsed, file.path, document.offset, objects, findings)
        for manifest in objects.values():
            findings += (_finding(manifest, problem) for problem in manifest.problems)
        return Manifests(tree.label, objects, tuple(findings))

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

    def _add(
        self,
        found: _Object,
        parsed: _Parsed,
        path: str,
        offset: int,
        objects: dict[ObjectId, Manifest],
        findings: list[Finding],
    ) -> None:
        lines = parsed.marked.lines if parsed.marked else {}
        location = Location(path, offset + lines.get((*found.prefix, "metadata", "name"), lines.get(found.prefix, 1)))
        name = ObjectId(found.kind, found.namespace or self._namespace or "default", found.name or "?")
        manifest = Manifest(name, found.content, location, found.problems, lines, offset, found.prefix)
        if found.kind not in KINDS_BY_NAME or found.content.get("apiVersion") != API_VERSION:
            version = found.content.get("apiVersion")
            findings.append(_of(manifest, UNKNOWN_KIND, f"there is no kind {found.kind} in {version}", "kind"))
            return
        if found.name is None:
            findings += (_finding(manifest, problem) for problem in found.problems)
            return
        if found.namespace is None and self._namespace is None:
            message = f"{found.kind} {found.name} has no metadata.namespace; planned in {name.namespace}"
            findings.append(_of(manifest, NO_NAMESPACE, message, "namespace"))
        if name in objects:
            message = f"{name} is declared in {objects[name].location} already; this one was planned"
            findings.append(_of(manifest, DUPLICATE, message, "duplicate"))
        objects[name] = manifest


def _objects(marked: Marked) -> Iterator[_Object]:
    yield from _objects_in(marked.value, ())


def _objects_in(value: object, prefix: Path) -> Iterator[_Object]:
    if not isinstance(value, dict) or not isinstance(value.get("apiVersion"), str):
        return
    kind, items = value.get("kind"), value.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            yield from _objects_in(item, (*prefix, "items", number))
    elif value["apiVersion"].split("/")[0] == GROUP:
        yield _object(value, kind if isinstance(kind, str) else "?", prefix)


def _object(value: dict[str, Any], kind: str, prefix: Path) -> _Object:
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    problems = tuple(check(kind, value)) if kind in KINDS_BY_NAME else ()
    return _Object(kind, _name(names.get("namespace")), _name(names.get("name")), value, prefix, problems)


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _yaml_findings(parsed: _Parsed, path: str, offset: int) -> Iterator[Finding]:
    if parsed.error is not None:
        location = Location(path, offset + parsed.error.line)
        message = f"not valid YAML: {parsed.error.problem}"
        yield Finding(INVALID_YAML.id, INVALID_YAML.level, message, None, location, "yaml")


def _kustomization(file: SourceFile) -> Iterator[Finding]:
    if file.path.rsplit("/", 1)[-1] not in _KUSTOMIZATIONS:
        return
    try:
        marked = parse(file.text)
    except YamlError as error:
        location = Location(file.path, error.line)
        yield Finding(INVALID_YAML.id, INVALID_YAML.level, f"not valid YAML: {error.problem}", None, location, "yaml")
        return
    value = marked.value if marked is not None else None
    changing = sorted(_TRANSFORMING & value.keys()) if isinstance(value, dict) else []
    if marked is not None and changing:
        message = f"this kustomization changes what is applied ({', '.join(changing)}): plan the rendered output"
        location = Location(file.path, marked.lines[changing[0],])
        yield Finding(UNRENDERED.id, UNRENDERED.level, message, None, location, "kustomization")


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


def _of(manifest: Manifest, rule: Rule, message: str, subject: str) -> Finding:
    return Finding(rule.id, rule.level, message, manifest.id, manifest.location, subject)


def read_all(trees: Iterable[Tree], default_namespace: str | None = None) -> list[Manifests]:
    """Read several trees with one reader."""
    reader = Reader(default_namespace)
    return [reader.read(tree) for tree in trees]
