"""Reads what ``doctor`` and ``report`` look at. What may not be read is noted, not fatal."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apiclients import __version__
from apiclients.cli.cluster.connection import Session
from apiclients.cli.cluster.names import (
    ACCESS_REVIEWS,
    BINDINGS,
    CRDS,
    GATE_ACCOUNT,
    OPERATOR_ACCOUNT,
    POLICIES,
)
from apiclients.cli.cluster.unread import Cause, Unread
from apiclients.kube.errors import ApiError, ForbiddenError, KubeError, NotFoundError
from apiclients.kube.kinds import ALL_KINDS, API_CLIENTS, CONTRACTS, INSTALLED_KINDS, TOKEN_ISSUERS, TOKEN_REVOCATIONS
from apiclients.kube.objects import LEASES, NAMESPACES, JsonObject, ResourceType
from apiclients.resources.names import GATE_LEASE_SELECTOR, GROUP, OPERATOR_LEASE

_EVENTS_GROUP = "events.k8s.io"


@dataclass(frozen=True, slots=True)
class Right:
    """Something that an account has to be allowed to do, or must not be."""

    account: str
    verb: str
    group: str
    resource: str
    #: None: in the whole cluster.
    namespace: str | None = None
    name: str = ""
    wanted: bool = True

    def __str__(self) -> str:
        subject = f"{self.resource} {self.name}".rstrip()
        return f"{self.verb} {subject}" + (f" in {self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read. A key that is missing from ``allowed`` could not be asked; None among the lists: not readable."""

    now: datetime
    plugin_version: str
    system_namespace: str
    clock_offset: float | None
    namespace_there: bool | None
    crds: dict[str, JsonObject] | None
    policies: dict[str, JsonObject] | None
    bindings: tuple[JsonObject, ...] | None
    operator_lease: JsonObject | None
    gate_leases: tuple[JsonObject, ...] | None
    clients: tuple[JsonObject, ...] | None
    contracts: tuple[JsonObject, ...] | None
    allowed: dict[Right, bool] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    issuers: tuple[JsonObject, ...] | None = None


def rights(system_namespace: str) -> tuple[Right, ...]:
    """What the accounts of operator and gate need, and what the gate must not have."""
    found: list[Right] = []
    for kind in ALL_KINDS:
        found += [Right(OPERATOR_ACCOUNT, verb, GROUP, kind.plural) for verb in ("list", "watch")]
        found += [Right(GATE_ACCOUNT, verb, GROUP, kind.plural) for verb in ("list", "watch")]
        found.append(Right(OPERATOR_ACCOUNT, "update", GROUP, f"{kind.plural}/status"))
    leases, revocations = LEASES.group, TOKEN_REVOCATIONS.plural
    return (
        *found,
        Right(OPERATOR_ACCOUNT, "create", _EVENTS_GROUP, "events"),
        Right(OPERATOR_ACCOUNT, "watch", "", "namespaces"),
        Right(OPERATOR_ACCOUNT, "update", leases, "leases", system_namespace, OPERATOR_LEASE),
        Right(OPERATOR_ACCOUNT, "watch", leases, "leases", system_namespace),
        Right(GATE_ACCOUNT, "patch", leases, "leases", system_namespace),
        Right(GATE_ACCOUNT, "get", "", "secrets", system_namespace, "apiclient-keys"),
        Right(GATE_ACCOUNT, "list", "", "secrets", wanted=False),
        *(Right(OPERATOR_ACCOUNT, verb, GROUP, revocations, system_namespace) for verb in ("list", "watch", "delete")),
        *(Right(GATE_ACCOUNT, verb, GROUP, revocations, system_namespace) for verb in ("list", "watch", "create")),
        Right(GATE_ACCOUNT, "delete", GROUP, revocations, system_namespace, wanted=False),
    )


def secret_rights(namespaces: Sequence[str]) -> tuple[Right, ...]:
    """The right to write credentials Secrets, which may be given for single namespaces."""
    return tuple(Right(OPERATOR_ACCOUNT, "create", "", "secrets", namespace) for namespace in namespaces)


async def read_facts(session: Session, system_namespace: str) -> Facts:
    """Read everything, several things at a time. Raises KubeError where nothing can be read at all."""
    unread: list[Unread] = []
    await _reachable(session, system_namespace)
    policies, bindings, leases, clients, contracts, issuers = await asyncio.gather(
        _list(session, POLICIES, None, unread),
        _list(session, BINDINGS, None, unread),
        _list(session, LEASES, system_namespace, unread, GATE_LEASE_SELECTOR),
        _list(session, API_CLIENTS, None, unread),
        _list(session, CONTRACTS, None, unread),
        _list(session, TOKEN_ISSUERS, None, unread),
    )
    crds, operator, there = await asyncio.gather(
        _crds(session, unread),
        _one(session, LEASES, system_namespace, OPERATOR_LEASE, unread),
        _one(session, NAMESPACES, None, system_namespace, unread),
    )
    namespaces = sorted({obj["metadata"]["namespace"] for obj in clients or ()})
    wanted = (*rights(system_namespace), *secret_rights(namespaces[:20]))
    return Facts(
        now=session.now(),
        plugin_version=__version__,
        system_namespace=system_namespace,
        clock_offset=session.kube.clock.offset_seconds,
        namespace_there=there if isinstance(there, bool) else True,
        crds=crds,
        policies={obj["metadata"]["name"]: obj for obj in policies} if policies is not None else None,
        bindings=bindings,
        operator_lease=operator if isinstance(operator, dict) else None,
        gate_leases=leases,
        clients=clients,
        contracts=contracts,
        issuers=issuers,
        allowed=await _allowed(session, wanted, system_namespace, unread),
        unread=tuple(unread),
    )


async def _reachable(session: Session, system_namespace: str) -> None:
    """One cheap request first: an API server that does not answer, or nobody's login, is one sentence, not ten."""
    try:
        await session.kube.get(LEASES, system_namespace, OPERATOR_LEASE)
    except (ForbiddenError, NotFoundError):
        return


async def _list(
    session: Session, resource: ResourceType, namespace: str | None, unread: list[Unread], labels: str | None = None
) -> tuple[JsonObject, ...] | None:
    try:
        return tuple(await session.objects(resource, namespace, labels=labels))
    except ForbiddenError:
        text = f"you may not list {resource.plural}" + (f" in {namespace}" if namespace else "")
        unread.append(Unread(Cause.FORBIDDEN, resource, text))
    except ApiError as error:
        if error.status != 404:
            raise
        unread.append(Unread(Cause.NOT_FOUND, resource, f"the API server does not know {resource.plural}"))
    return None


async def _crds(session: Session, unread: list[Unread]) -> dict[str, JsonObject] | None:
    found: dict[str, JsonObject] = {}
    for kind in INSTALLED_KINDS:
        name = f"{kind.plural}.{kind.group}"
        obj = await _one(session, CRDS, None, name, unread)
        if obj is None:
            return None
        if isinstance(obj, dict):
            found[name] = obj
    return found


async def _one(
    session: Session, resource: ResourceType, namespace: str | None, name: str, unread: list[Unread]
) -> JsonObject | bool | None:
    """The object; False when it is not there; None when it may not be read."""
    try:
        return await session.kube.get(resource, namespace, name)
    except NotFoundError:
        return False
    except ForbiddenError:
        unread.append(Unread(Cause.FORBIDDEN, resource, f"you may not read {resource.plural} {name}", name))
        return None


async def _allowed(
    session: Session, wanted: Sequence[Right], system_namespace: str, unread: list[Unread]
) -> dict[Right, bool]:
    answers = await asyncio.gather(*(_ask(session, right, system_namespace) for right in wanted))
    known = {right: answer for right, answer in zip(wanted, answers, strict=True) if answer is not None}
    if len(known) < len(wanted):
        text = "you may not ask what accounts are allowed to do (create subjectaccessreviews)"
        unread.append(Unread(Cause.FORBIDDEN, ACCESS_REVIEWS, text))
    return known


async def _ask(session: Session, right: Right, system_namespace: str) -> bool | None:
    resource, _, subresource = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    attributes |= {"namespace": right.namespace or "", "name": right.name}
    body = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": ACCESS_REVIEWS.kind,
        "metadata": {},
        "spec": {
            "user": f"system:serviceaccount:{system_namespace}:{right.account}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{system_namespace}", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }
    try:
        answer = await session.create(ACCESS_REVIEWS, None, body)
    except KubeError:
        return None
    return bool((answer.get("status") or {}).get("allowed"))
