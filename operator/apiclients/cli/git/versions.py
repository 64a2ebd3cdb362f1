"""A new version of a client, made from an existing one. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apiclients.cli.errors import CliError
from apiclients.cli.git.names import fitting, is_name
from apiclients.kube.objects import JsonObject
from apiclients.resources.apiclient import DesiredStatus
from apiclients.resources.conditions import Reason
from apiclients.resources.contract import Grant
from apiclients.resources.names import API_VERSION
from apiclients.resources.objects import ApiClient, Contract, InvalidObjectError

#: What tools put on objects to find their own again; a copy would be taken for theirs.
_TOOL_LABELS = ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "argocd.argoproj.io/", "helm.sh/")
_TOOL_LABEL_KEYS = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
#: Under these a contract is not one that the client has or had.
_NOT_KEPT = (Reason.CONFLICT, Reason.REJECTED)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The objects to put into Git, and what to mind about them."""

    objects: tuple[JsonObject, ...]
    notes: tuple[str, ...]


def new_version(raw: JsonObject, contracts: Sequence[Contract], version: str, name: str | None = None) -> NewVersion:
    """A client of that version with the contracts of another one. Raises CliError for a name that cannot be."""
    meta, spec = raw["metadata"], raw["spec"]
    old = meta["name"]
    new = name or new_name(old, spec, version)
    if new == old and spec.get("version") == version:
        raise CliError(f"{old} is version {version} already: name another version, or another object with --name")
    if not is_name(new) or new == old:
        raise CliError(f"{new!r} cannot be the name of the new version: choose another one with --name")
    kept = [c for c in contracts if _ready_reason(c) not in _NOT_KEPT]
    copies = _contracts(sorted(kept, key=lambda c: c.metadata.name), old, new)
    return NewVersion((_client(raw, new, version), *copies), _notes(spec, contracts, kept))


def new_name(old: str, spec: JsonObject, version: str) -> str:
    """``billing-1.0`` and 2.0 make ``billing-2.0``; a name without a version gets one."""
    suffix = re.sub(r"[^a-z0-9.]+", "-", version.lower()).strip("-.")
    known = spec.get("version")
    if known and old.endswith(f"-{known}"):
        return f"{old.removesuffix(f'-{known}')}-{suffix}"
    return f"{spec.get('client') or old}-{suffix}"


def _client(raw: JsonObject, name: str, version: str) -> JsonObject:
    meta = raw["metadata"]
    try:
        known = ApiClient.from_object(raw).spec
    except InvalidObjectError as error:
        where = f"{meta['namespace']}/{meta['name']}"
        raise CliError(f"ApiClient {where} cannot be read by this version of the plugin: {error}") from None
    # What the API server filled in is not worth repeating.
    old = known.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    spec: JsonObject = {
        "desiredStatus": str(DesiredStatus.AVAILABLE),
        "client": old.get("client") or meta["name"],
        "version": version,
    }
    spec |= {key: old[key] for key in ("displayName", "description", "owner") if old.get(key)}
    spec |= _part(old, "secret", without=("name", "revision", "notBefore"))
    spec |= _part(old, "tokens", without=("notBefore",))
    spec |= _part(old, "retirement", without=("acknowledgedContracts",))
    return {"apiVersion": API_VERSION, "kind": "ApiClient", "metadata": _metadata(meta, name), "spec": spec}


def _part(spec: JsonObject, key: str, *, without: Sequence[str]) -> JsonObject:
    """A part of spec without what belongs to the one version alone."""
    part = {name: value for name, value in (spec.get(key) or {}).items() if name not in without}
    return {key: part} if part else {}


def _metadata(meta: JsonObject, name: str) -> JsonObject:
    labels = {
        key: value
        for key, value in (meta.get("labels") or {}).items()
        if not key.startswith(_TOOL_LABELS) and key not in _TOOL_LABEL_KEYS
    }
    return {"name": name, "namespace": meta["namespace"]} | ({"labels": labels} if labels else {})


def _contracts(contracts: Sequence[Contract], old: str, new: str) -> list[JsonObject]:
    taken = set[str]()
    made = []
    for contract in contracts:
        wanted = contract.metadata.name
        wanted = wanted.replace(old, new) if old in wanted else f"{new}-{contract.spec.api.name}"
        name = fitting(wanted)
        if name in taken:
            name = fitting(f"{contract.spec.api.namespace}-{wanted}")
        taken.add(name)
        made.append(_contract(contract, name, new))
    return made


def _contract(contract: Contract, name: str, client: str) -> JsonObject:
    meta, spec = contract.metadata, contract.spec
    labels = {"labels": dict(meta.labels)} if meta.labels else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Contract",
        "metadata": _metadata({"namespace": meta.namespace, **labels}, name),
        "spec": {
            "clientName": client,
            "api": {"namespace": spec.api.namespace, "name": spec.api.name},
            "plan": spec.plan,
        },
    }


def _notes(spec: JsonObject, contracts: Sequence[Contract], kept: Sequence[Contract]) -> tuple[str, ...]:
    notes = [f"contract {c.metadata.name} was left out: {_ready_reason(c)}" for c in contracts if c not in kept]
    approved = [c.metadata.name for c in kept if c.status.in_force and c.status.in_force.granted_by is Grant.APPROVAL]
    if approved:
        notes.append(f"approved by their owners, and to be approved anew: {', '.join(approved)}")
    retired = [c.metadata.name for c in kept if _ready_reason(c) == Reason.API_RETIRED]
    if retired:
        notes.append(f"their Apis are retired, so choose others: {', '.join(retired)}")
    if (spec.get("secret") or {}).get("name"):
        notes.append("spec.secret.name was left out: each version has a Secret of its own")
    return tuple(notes)


def _ready_reason(contract: Contract) -> str | None:
    return next((c.reason for c in contract.status.conditions if c.type == "Ready"), None)
