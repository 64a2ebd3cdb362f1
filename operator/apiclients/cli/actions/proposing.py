"""What a change is about, and how it is made in Git. Only reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from apiclients.cli.cluster.absent import why_absent
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.gather import approvals_for, permitted, readable
from apiclients.cli.cluster.unread import Unread
from apiclients.cli.errors import CliError
from apiclients.cli.git import change as gitchange
from apiclients.cli.screens.contracts import ContractLine, contract_line
from apiclients.cli.screens.output import render_data
from apiclients.kube.errors import NotFoundError
from apiclients.kube.kinds import API_CLIENTS, CONTRACTS
from apiclients.kube.objects import JsonObject, ResourceType
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import ApiClient, Contract, InvalidObjectError

FLUX = "kustomize.toolkit.fluxcd.io"
_ARGO_TRACKING = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One of the three changes."""

    verb: str
    past: str
    desired: DesiredStatus
    #: What it means for the active contracts.
    meaning: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The client to change, and its contracts in force."""

    raw: JsonObject
    client: ApiClient
    contracts: tuple[ContractLine, ...]
    active: tuple[str, ...]
    #: What may not be read of it.
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The change to make in Git."""

    #: Where, and what the text is; or why there is none.
    said: str
    #: A patch for ``git apply``, or YAML where no file was found; empty where there is nothing to change.
    text: str
    #: What somebody has to know who makes it.
    cautions: tuple[str, ...] = ()


SUSPEND = StatusChange(
    "suspend", "suspended", DesiredStatus.SUSPENDED, "Calls under {contracts} are refused until it is resumed:"
)
RETIRE = StatusChange("retire", "retired", DesiredStatus.RETIRED, "The retirement ends {contracts}:")
RESUME = StatusChange(
    "resume",
    "resumed",
    DesiredStatus.AVAILABLE,
    "Calls under {contracts} are let through again, unless a hold stops the client:",
)


async def read_subject(session: Session, name: str) -> Subject:
    """A client of the session's namespace and its contracts in force. Raises CliError, KubeError."""
    namespace, unread = session.namespace, list[Unread]()
    try:
        raw = await session.kube.get(API_CLIENTS, namespace, name)
        client = ApiClient.from_object(raw)
    except NotFoundError:
        raise CliError(await why_absent(session, name)) from None
    except InvalidObjectError as error:
        raise CliError(f"ApiClient {namespace}/{name} cannot be read by this version of the plugin: {error}") from None
    listing = session.objects(CONTRACTS, namespace, fields=f"spec.clientName={name}")
    contracts = readable(
        await permitted(listing, [], CONTRACTS, f"contracts in {namespace}", unread), CONTRACTS, Contract, unread
    )
    approvals = await approvals_for(session, contracts, [])
    lines = tuple(contract_line(contract, approvals) for contract in contracts)
    active = {line.name for line in lines if line.status == ContractStatusName.ACTIVE}
    counted = client.status.contracts.active_names if client.status.contracts is not None else []
    known = tuple(sorted(active | (set(counted) if unread else set())))
    return Subject(raw, client, lines, known, tuple(map(str, unread)))


def acknowledged(subject: Subject, what: StatusChange) -> tuple[str, ...]:
    """The contracts that the change has to acknowledge."""
    return subject.active if what.desired is DesiredStatus.RETIRED else ()


def proposal(subject: Subject, what: StatusChange, root: Path) -> Proposal:
    """The change in the file below ``root`` that declares the client, or by itself. Raises CliError."""
    names = acknowledged(subject, what)
    return proposed(
        subject.raw, root, lambda file: gitchange.changed(file, what.desired, names), spec_change(subject, what)
    )


def proposed(
    raw: JsonObject,
    root: Path,
    edit: Callable[[gitchange.Declared], str],
    otherwise: JsonObject,
    kind: ResourceType = API_CLIENTS,
) -> Proposal:
    """An edit of the one file below ``root`` that declares an object; ``otherwise`` as YAML. Raises CliError."""
    meta = raw["metadata"]
    found = gitchange.find(root, meta["namespace"], meta["name"], kind)
    if len(found) == 1:
        text = gitchange.diff(found[0], edit(found[0]))
        if not text:
            return Proposal(f"{found[0].path} says so already: nothing to change.", "")
        said = f"Change {found[0].path} in Git (this patch is for `git apply`), and have it reviewed:"
        return Proposal(said, text.rstrip("\n"), tuple(found[0].cautions))
    said = f"{undeclared(raw, root, found)} The change{'' if found else ' to make in Git'}:"
    return Proposal(said, render_data(otherwise, "yaml").rstrip("\n"))


def undeclared(raw: JsonObject, root: Path, found: list[gitchange.Declared]) -> str:
    """Why there is no one file to change."""
    if found:
        paths = ", ".join(str(one.path) for one in found)
        return f"Several places declare it: {paths}. Choose one with --filename."
    return f"No file below {root.resolve()} declares it{applied_by(raw)}."


def spec_change(subject: Subject, what: StatusChange) -> JsonObject:
    """The change as a merge patch."""
    spec: JsonObject = {"desiredStatus": str(what.desired)}
    names = acknowledged(subject, what)
    if names:
        known = subject.client.spec.retirement.acknowledged_contracts
        spec["retirement"] = {"acknowledgedContracts": sorted({*known, *names})}
    return {"spec": spec}


def applied_by(raw: JsonObject) -> str:
    """Which GitOps tool applies the object, and under what name."""
    meta = raw["metadata"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    if f"{FLUX}/name" in labels:
        return f"; the Flux Kustomization {labels.get(f'{FLUX}/namespace', '')}/{labels[f'{FLUX}/name']} applies it"
    if _ARGO_TRACKING in notes:
        return f"; the Argo CD application {notes[_ARGO_TRACKING].split(':')[0]} applies it"
    return ""
