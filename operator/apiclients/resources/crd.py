"""Generates the CustomResourceDefinitions in ``crds/`` from the models.

``python -m apiclients.resources.crd crds/`` writes the files; with ``--check`` it only compares and exits 1 when a
file is not what the models say.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apiclients.resources.api import ApiSpec, ApiStatus
from apiclients.resources.apiclient import MAX_JWKS, PRIVATE_MEMBER_PATTERN, ApiClientSpec, ApiClientStatus
from apiclients.resources.approval import ContractApprovalSpec, ContractApprovalStatus
from apiclients.resources.contract import ContractSpec, ContractStatus
from apiclients.resources.fields import Model
from apiclients.resources.hold import ApiClientHoldSpec, ApiClientHoldStatus
from apiclients.resources.names import (
    GENERATION_COLUMN,
    GROUP,
    NAMESPACE_COLUMN,
    UID_COLUMN,
    VERSION,
    VERSION_COLUMN,
)
from apiclients.resources.revocation import REVOCATION_NAME_LENGTH, TokenRevocationSpec
from apiclients.resources.schema import structural_schema, structure
from apiclients.resources.tokenissuer import TokenIssuerSpec, TokenIssuerStatus

#: ``kubectl get apiclients-dev`` shows all kinds. It must not be the plural of one of them: kubectl would take
#: ``apiclients`` for all kinds then, also in ``kubectl delete apiclients --all``.
CATEGORY = "apiclients-dev"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``; priority 1 shows it with ``-o wide`` only."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about several fields of a spec (``variables.spec``), in the CEL of a policy."""

    expression: str
    message: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What a CustomResourceDefinition needs beside the models."""

    kind: str
    plural: str
    description: str
    spec: type[Model]
    #: None for a kind that nobody observes.
    status: type[Model] | None
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    namespaced: bool = True
    longest_name: int = 63

    @property
    def scope(self) -> str:
        return "Namespaced" if self.namespaced else "Cluster"

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def file_name(self) -> str:
        return f"{GROUP}_{self.plural}.yaml"


def _condition(kind: str, part: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


#: Which object a row is, at which version, for programs that list tables without objects. Every kind has them.
IDENTITY = (
    Column(NAMESPACE_COLUMN, ".metadata.namespace", priority=1, description="Its namespace."),
    Column(UID_COLUMN, ".metadata.uid", priority=1, description="Its UID."),
    Column(GENERATION_COLUMN, ".metadata.generation", "integer", priority=1, description="Grows with its spec."),
    Column(VERSION_COLUMN, ".metadata.resourceVersion", priority=1, description="Changes with any of it."),
)

API_CLIENT = Kind(
    kind="ApiClient",
    plural="apiclients",
    description="An API client: one version of one program that consumes APIs with credentials.",
    spec=ApiClientSpec,
    status=ApiClientStatus,
    short_names=("apic",),
    selectable_fields=(".spec.desiredStatus", ".status.observedStatus"),
    columns=(
        Column("DESIRED", ".spec.desiredStatus", description="What spec asks for."),
        Column("OBSERVED", ".status.observedStatus", description="What is in force."),
        Column("READY", _condition("Ready", "status"), description="Whether the operator has done all that it can."),
        Column("REASON", _condition("Ready", "reason"), description="Why it is (not) ready."),
        Column("CONTRACTS", ".status.contracts.active", "integer", description="Contracts in force."),
        # As text: kubectl shows a date in the future as <invalid>.
        Column("SECRET-EXPIRES", ".status.credentials[0].expiresTime", description="When the secret expires."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("CLIENT", ".spec.client", priority=1, description="The program."),
        Column("VERSION", ".spec.version", priority=1, description="Its version."),
        Column("OWNER", ".spec.owner", priority=1, description="Whom to ask."),
        Column("CLIENT-ID", ".status.clientId", priority=1, description="OAuth client id."),
        Column("IDENTITIES", ".status.identities[*].subject", priority=1, description="Subjects of its identities."),
        Column("SECRET", ".status.secret.name", priority=1, description="The Secret with the credentials."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
    rules=(
        Rule(
            "(!('identities' in variables.spec) || size(variables.spec.identities) > 16 || "
            "variables.spec.identities.all(item, has(item.subject) != has(item.serviceAccountName)))",
            "exactly one of subject and serviceAccountName is needed in each of spec.identities",
        ),
        Rule(
            f"(!('keys' in variables.spec) || size(variables.spec.keys.jwks) > {MAX_JWKS} || "
            f"!variables.spec.keys.jwks.matches(r'{PRIVATE_MEMBER_PATTERN}'))",
            "spec.keys.jwks holds a private key: take it out, and make another one, for this one has been shown",
        ),
    ),
)

API = Kind(
    kind="Api",
    plural="apis",
    description="Something that can be consumed, under plans, by contract.",
    spec=ApiSpec,
    status=ApiStatus,
    selectable_fields=(".spec.desiredStatus", ".status.observedStatus"),
    columns=(
        Column("VERSION", ".spec.version", description="The version of the API."),
        Column("DESIRED", ".spec.desiredStatus", description="What spec asks for."),
        Column("OBSERVED", ".status.observedStatus", description="What is in force."),
        Column("READY", _condition("Ready", "status"), description="Whether the operator has done all that it can."),
        Column("REASON", _condition("Ready", "reason"), description="Why it is (not) ready."),
        Column("ACTIVE", ".status.contracts.active", "integer", description="Contracts in force."),
        Column("PENDING", ".status.contracts.pending", "integer", description="Contracts that wait."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("AUDIENCE", ".status.audience", priority=1, description="Audience of tokens for this API."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
)

CONTRACT = Kind(
    kind="Contract",
    plural="contracts",
    description="One client version consumes one API under one plan.",
    spec=ContractSpec,
    status=ContractStatus,
    selectable_fields=(".spec.clientName", ".spec.api.namespace", ".spec.api.name", ".status.observedStatus"),
    columns=(
        Column("CLIENT", ".spec.clientName", description="The client."),
        Column("API-NAMESPACE", ".spec.api.namespace", description="Namespace of the Api."),
        Column("API", ".spec.api.name", description="The Api."),
        Column("PLAN", ".spec.plan", description="The plan that is asked for."),
        Column("STATUS", ".status.observedStatus", description="Whether it is in force."),
        Column("REASON", _condition("Ready", "reason"), description="Why it is (not) ready."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("ENDS", ".spec.endTime", priority=1, description="When it ends by itself."),
        Column("PLAN-IN-FORCE", ".status.inForce.plan", priority=1, description="The plan under which calls pass."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
)

CONTRACT_APPROVAL = Kind(
    kind="ContractApproval",
    plural="contractapprovals",
    description="The provider's yes or no to a contract; it lives in the Api's namespace.",
    spec=ContractApprovalSpec,
    status=ContractApprovalStatus,
    columns=(
        Column("CONTRACT-NAMESPACE", ".spec.contract.namespace", description="Namespace of the contract."),
        Column("CONTRACT", ".spec.contract.name", description="The contract."),
        Column("API", ".spec.api", description="The Api."),
        Column("PLAN", ".spec.plan", description="The plan."),
        Column("DECISION", ".spec.decision", description="Approved or Rejected."),
        Column("COUNTS", _condition("Ready", "status"), description="Whether it counts."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
)

API_CLIENT_HOLD = Kind(
    kind="ApiClientHold",
    plural="apiclientholds",
    description="The emergency stop for clients, which re-applying Git cannot undo; deleting it releases them.",
    spec=ApiClientHoldSpec,
    status=ApiClientHoldStatus,
    columns=(
        Column("CLIENT", ".spec.clientName", description="The client, when it is named."),
        Column("ACTIVE", _condition("Active", "status"), description="Whether it stops anybody now."),
        Column("STOPS", ".status.stoppedCount", "integer", description="How many clients it stops."),
        # As text: kubectl shows a date in the future as <invalid>.
        Column("EXPIRES", ".spec.expiresTime", description="When it ends by itself."),
        Column("REASON", ".spec.reason", description="Why it was placed."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column(
            "CREATED-BY", r".metadata.annotations.apiclients\.dev/created-by", priority=1, description="Who placed it."
        ),
        Column("CLIENTS", ".status.stoppedNames", priority=1, description="Which clients it stops."),
    ),
    rules=(
        Rule(
            "[has(variables.spec.clientName), has(variables.spec.selector), "
            "has(variables.spec.allClients) && variables.spec.allClients].filter(given, given).size() == 1",
            "exactly one of spec.clientName, spec.selector and spec.allClients is needed",
        ),
    ),
)

TOKEN_ISSUER = Kind(
    kind="TokenIssuer",
    plural="tokenissuers",
    description="An issuer of tokens, such as an identity provider or this cluster, whose tokens are recognised.",
    spec=TokenIssuerSpec,
    status=TokenIssuerStatus,
    namespaced=False,
    columns=(
        Column("ISSUER", ".status.issuer", description="The claim iss of its tokens."),
        Column("READY", _condition("Ready", "status"), description="Whether its tokens are recognised."),
        Column("REASON", _condition("Ready", "reason"), description="Why (not)."),
        Column("FETCHED", ".status.lastFetchTime", "date", description="How long ago its keys were found."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since creation."),
        Column("KEYS", ".status.keys[*].kid", priority=1, description="The ids of its keys."),
        Column("MESSAGE", _condition("Ready", "message"), priority=1, description="Why, in words."),
    ),
    rules=(
        Rule(
            "[has(variables.spec.keys.discoveryURL), has(variables.spec.keys.jwksURL), "
            "has(variables.spec.keys.configMap), has(variables.spec.keys.cluster)]"
            ".filter(given, given).size() == 1",
            "exactly one of spec.keys.discoveryURL, spec.keys.jwksURL, spec.keys.configMap and spec.keys.cluster "
            "is needed",
        ),
        Rule(
            "(has(variables.spec.issuer) || has(variables.spec.keys.cluster))",
            "spec.issuer is needed, but for keys.cluster",
        ),
    ),
)

TOKEN_REVOCATION = Kind(
    kind="TokenRevocation",
    plural="tokenrevocations",
    description="One access token that is refused although it has not ended. Gates write these, in their namespace; "
    "the name is the SHA-256 of header and claims of the token.",
    spec=TokenRevocationSpec,
    status=None,
    columns=(
        # As text: kubectl shows a date in the future as <invalid>.
        Column("EXPIRES", ".spec.expiresTime", description="When the token ends anyway."),
        Column("AGE", ".metadata.creationTimestamp", "date", description="Time since the revocation."),
        Column("CLIENT-UID", ".spec.clientUid", priority=1, description="UID of the client whose token it is."),
    ),
    longest_name=REVOCATION_NAME_LENGTH,
)

#: What people declare.
KINDS: tuple[Kind, ...] = (API_CLIENT, API, CONTRACT, CONTRACT_APPROVAL, API_CLIENT_HOLD, TOKEN_ISSUER)
#: What is installed.
CRD_KINDS: tuple[Kind, ...] = (*KINDS, TOKEN_REVOCATION)


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind, as apiextensions.k8s.io/v1 has it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": _names(kind),
            "versions": [_version(kind)],
        },
    }


def _names(kind: Kind) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.singular,
        **({"categories": [CATEGORY]} if kind in KINDS else {}),  # people list what they declare with it
    }
    # The API server drops an empty list, and would take the file for a change at every apply.
    return names | ({"shortNames": list(kind.short_names)} if kind.short_names else {})


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root_schema(kind)},
        **({"subresources": {"status": {}}} if kind.status else {}),
        "additionalPrinterColumns": [_column(column) for column in (*kind.columns, *IDENTITY)],
    } | _selectable(kind)


def _selectable(kind: Kind) -> dict[str, Any]:
    paths = [{"jsonPath": path} for path in kind.selectable_fields]
    return {"selectableFields": paths} if paths else {}


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.description}
    # The API server drops a priority of 0, and would take the file for a change at every apply.
    return shown | ({"priority": column.priority} if column.priority else {})


def _root_schema(kind: Kind) -> dict[str, Any]:
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The versioned schema of this object."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": kind.longest_name}}},
            "spec": _spec_schema(kind),
            **({"status": _status_schema(kind.status)} if kind.status else {}),
        },
    }


def _status_schema(status: type[Model]) -> dict[str, Any]:
    return structural_schema(status) | {
        "description": "What the operator observed; the operator alone writes it.",
        # On status itself: a default below an absent status is not applied. Without it kstatus takes an object
        # that no controller has seen yet for current.
        "default": {"observedGeneration": -1},
    }


def _spec_schema(kind: Kind) -> dict[str, Any]:
    # What a person may get wrong in a value is refused by a policy (value_policies.py), never with a 422.
    return structure(kind.spec) | {"description": "What is desired."}


def render(kind: Kind) -> str:
    """The file in ``crds/``."""
    text = yaml.safe_dump(custom_resource_definition(kind), sort_keys=False, width=120, allow_unicode=True)
    return f"# Generated from the models by: python -m apiclients.resources.crd crds/\n{text}"


def stale_files(folder: Path) -> list[Path]:
    """The files below ``folder`` that are missing or differ from the models."""
    wanted = {folder / kind.file_name: render(kind) for kind in CRD_KINDS}
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
    for kind in CRD_KINDS:
        (args.folder / kind.file_name).write_text(render(kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
