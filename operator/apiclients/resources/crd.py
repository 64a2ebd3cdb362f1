"""Generates the CustomResourceDefinitions in ``crds/`` from the models.

``python -m apiclients.resources.crd crds/`` writes the files; with ``--check`` it only compares and exits 1 when a
file is not what the models say.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from apiclients.resources.apiclient import ApiClientSpec, ApiClientStatus
from apiclients.resources.fields import Model
from apiclients.resources.names import GROUP, VERSION
from apiclients.resources.schema import structural_schema


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``; priority 1 shows it with ``-o wide`` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CustomResourceDefinition needs beside the models."""

    kind: str
    plural: str
    description: str
    spec: type[Model]
    status: type[Model]
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    selectable_fields: tuple[str, ...] = field(default=())

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def file_name(self) -> str:
        return f"{GROUP}_{self.plural}.yaml"


def _condition(kind: str, part: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


API_CLIENT = Kind(
    kind="ApiClient",
    plural="apiclients",
    description="An API client: one version of one program that consumes APIs with credentials.",
    spec=ApiClientSpec,
    status=ApiClientStatus,
    short_names=("apic",),
    selectable_fields=(".spec.desiredStatus",),
    columns=(
        Column("DESIRED", ".spec.desiredStatus", description="What spec asks for."),
        Column("OBSERVED", ".status.observedStatus", description="What is in force."),
        Column("READY", _condition("Ready", "status"), description="Whether the operator has done all that it can."),
        Column("REASON", _condition("Ready", "reason"), description="Why it is (not) ready."),
        # As text: kubectl shows a date in the future as <invalid>.
        Column("SECRET-EXPIRES", ".status.credentials[0].expiresTime", description="When the secret expires."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("CLIENT", ".spec.client", priority=1, description="The program."),
        Column("VERSION", ".spec.version", priority=1, description="Its version."),
        Column("CLIENT-ID", ".status.clientId", priority=1, description="OAuth client id."),
        Column("SECRET", ".status.secret.name", priority=1, description="The Secret with the credentials."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
)

KINDS: tuple[Kind, ...] = (API_CLIENT,)


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as apiextensions.k8s.io/v1 has it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
                "categories": ["apiclients"],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root_schema(kind)},
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": path} for path in kind.selectable_fields],
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
    }


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "priority": column.priority,
        "description": column.description,
    }


def _root_schema(kind: Kind) -> dict[str, Any]:
    status = structural_schema(kind.status) | {
        "description": "What the operator observed; the operator alone writes it.",
        # On status itself: a default below an absent status is not applied. Without it kstatus takes an object
        # that no controller has seen yet for current.
        "default": {"observedGeneration": -1},
    }
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The versioned schema of this object."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}},
            "spec": structural_schema(kind.spec) | {"description": "What is desired."},
            "status": status,
        },
    }


def render(kind: Kind) -> str:
    """The file in ``crds/``."""
    text = yaml.safe_dump(custom_resource_definition(kind), sort_keys=False, width=120, allow_unicode=True)
    return f"# Generated from the models by: python -m apiclients.resources.crd crds/\n{text}"


def stale_files(folder: Path) -> list[Path]:
    """The files below ``folder`` that are missing or differ from the models."""
    wanted = {folder / kind.file_name: render(kind) for kind in KINDS}
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m apiclients.resources.crd", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the CRD files are")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a file is stale")
    args = parser.parse_args(argv)
    stale = stale_files(args.folder)
    if args.check:
        for path in stale:
            print(f"{path} is not what the models say: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for kind in KINDS:
        (args.folder / kind.file_name).write_text(render(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
