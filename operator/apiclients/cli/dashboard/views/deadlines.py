"""What ends or is renewed by itself, and when: credentials, contracts, holds, retirements. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apiclients.cli.dashboard.state.relations import ApiNode, ContractNode
from apiclients.cli.screens.foresight import Coming, ComingKind
from apiclients.cli.screens.listing import ClientLine
from apiclients.cli.screens.status import hold_line
from apiclients.cli.screens.text import Mark
from apiclients.lifecycle.contract_view import has_ended
from apiclients.lifecycle.holds import hold_view, in_force
from apiclients.resources.contract import ContractStatusName
from apiclients.resources.objects import ApiClientHold
from apiclients.resources.refs import NamespacedName


class Kind(StrEnum):
    """What kind of deadline it is."""

    ROTATION = "Rotation"
    CREDENTIAL = "Credential"
    CONTRACT = "Contract"
    HOLD = "Hold"
    RETIREMENT = "Retirement"


@dataclass(frozen=True, slots=True)
class Deadline:
    """One thing that happens by itself."""

    time: datetime
    kind: Kind
    namespace: str
    #: The client that it is about; None where it is about several, or about an Api.
    client: str | None
    owner: str | None
    what: str
    mark: Mark


Lines = Mapping[NamespacedName, ClientLine]

_KINDS = {
    ComingKind.ROTATION: (Kind.ROTATION, Mark.PLAIN),
    ComingKind.CREDENTIAL: (Kind.CREDENTIAL, Mark.PLAIN),
    ComingKind.EXPIRY: (Kind.CREDENTIAL, Mark.BAD),
    ComingKind.RETIREMENT: (Kind.RETIREMENT, Mark.BAD),
}
#: Contracts that nobody would miss.
_OVER = (ContractStatusName.REJECTED, ContractStatusName.INACTIVE)


def of_clients(ahead: Iterable[tuple[NamespacedName, tuple[Coming, ...]]], lines: Lines) -> Iterator[Deadline]:
    """The deadlines of clients themselves; those of their holds come from the holds."""
    for (namespace, name), coming in ahead:
        line = lines.get((namespace, name))
        if line is None:
            continue
        final = {one.time for one in coming if one.kind is ComingKind.RETIREMENT}
        for one in coming:
            ends_with_client = one.kind is ComingKind.CREDENTIAL and one.time in final
            if one.kind in _KINDS and not ends_with_client:
                kind, mark = _KINDS[one.kind]
                yield Deadline(one.time, kind, namespace, name, line.owner, one.what, mark)


def of_contracts(contracts: Iterable[ContractNode], lines: Lines, now: datetime) -> Iterator[Deadline]:
    """The ends of contracts that have one (``spec.endTime``)."""
    for contract in contracts:
        line, ends = contract.line, contract.ends
        if ends is None or has_ended(ends.timestamp(), now.timestamp()) or line.status in _OVER:
            continue
        owner = _owner(lines, line.namespace, line.client)
        what = f"Contract {line.name} for Api {line.api} ends ({line.status})"
        yield Deadline(ends, Kind.CONTRACT, line.namespace, line.client, owner, what, Mark.WAITS)


def of_holds(holds: Iterable[ApiClientHold], lines: Lines, now: datetime) -> Iterator[Deadline]:
    """The ends of holds that have one."""
    for hold in holds:
        view = hold_view(hold)
        if view.expires_time is None or not in_force(view, now.timestamp()):
            continue
        client = hold.spec.client_name
        owner = _owner(lines, view.namespace, client) if client is not None else None
        what = f"Hold {view.name} ends" if client is not None else f"Hold {view.name} ends: {hold_line(hold).by}"
        yield Deadline(view.expires_time, Kind.HOLD, view.namespace, client, owner, what, Mark.PLAIN)


def of_apis(apis: Iterable[ApiNode], now: datetime) -> Iterator[Deadline]:
    """The ends of the grace periods of retired Apis."""
    for api in apis:
        if api.final is not None and api.final > now:
            what = f"The retirement of Api {api.name} becomes final"
            yield Deadline(api.final, Kind.RETIREMENT, api.namespace, None, None, what, Mark.BAD)


def _owner(lines: Lines, namespace: str, client: str) -> str | None:
    line = lines.get((namespace, client))
    return line.owner if line is not None else None
