"""Objects that seem to be gone because what declares them cannot be read: unknown, and never a deletion."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apiclients.plan.manifests import Manifest, Manifests, SourceFile, Unread
from apiclients.plan.model import Finding, Location
from apiclients.plan.yaml_marks import Document, YamlError, documents, parse
from apiclients.resources.names import GROUP
from apiclients.resources.plan_rules import UNKNOWN_OBJECT

#: A template can declare anything.
_TEMPLATE = "{{"


def with_unknown(base: Manifests, head: Manifests) -> Manifests:
    """Head with those objects of base that it may still declare, as they were. Each of them is a finding."""
    known = {unread.text for unread in base.unread}
    unread = [one for one in head.unread if one.text not in known]
    kept, found = dict(head.objects), list(head.findings)
    for name, manifest in base.objects.items():
        hiding = _hiding(manifest, unread, base, head) if name not in head.objects else None
        if hiding is not None:
            kept[name] = manifest
            found.append(_finding(manifest, hiding))
    return replace(head, objects=kept, findings=tuple(found))


def _finding(manifest: Manifest, hiding: Unread) -> Finding:
    what = "whether it stays, changes or goes is not known"
    message = f"{manifest.id}: unknown: {hiding.location} cannot be read ({hiding.problem}), so {what}"
    return Finding(UNKNOWN_OBJECT.id, UNKNOWN_OBJECT.level, message, manifest.id, hiding.location, "unknown")


def _hiding(manifest: Manifest, unread: Iterable[Unread], base: Manifests, head: Manifests) -> Unread | None:
    """What of head may declare an object of base: its own file, or something that names it, or a template."""
    for one in unread:
        if one.path == manifest.path or manifest.id.name in one.text or _TEMPLATE in one.text:
            return one
    file, old = head.files.get(manifest.path), base.files.get(manifest.path)
    return _spoiled(manifest, file, old) if file is not None else None


def _spoiled(manifest: Manifest, file: SourceFile, old: SourceFile | None) -> Unread | None:
    """What of an object's own file cannot be read any more, or does not say any more that it is ours."""
    if file.problem is not None:
        return Unread(manifest.path, file.text, Location(file.path, 1), file.problem)
    for document in documents(file.text):
        if GROUP in document.text or (old is not None and document.text in old.text):
            continue
        problem, line = _problem(manifest, document)
        if problem is not None:
            return Unread(manifest.path, document.text, Location(file.path, document.offset + line), problem)
    return None


def _problem(manifest: Manifest, document: Document) -> tuple[str | None, int]:
    try:
        marked = parse(document.text)
    except YamlError as error:
        return f"not valid YAML: {error.problem}", error.line
    if marked is None or not _seems_to_be(manifest, marked.value):
        return None, 1
    version = marked.value.get("apiVersion")
    return f"there is no kind {manifest.id.kind} in {version}", marked.lines.get(("apiVersion",), 1)


def _seems_to_be(manifest: Manifest, value: Any) -> bool:
    """Whether it is the object but for its apiVersion."""
    if not isinstance(value, dict) or value.get("kind") != manifest.id.kind:
        return False
    metadata = value.get("metadata")
    return isinstance(metadata, dict) and metadata.get("name") == manifest.id.name
