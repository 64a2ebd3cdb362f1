"""What ``inspect`` says: whose token or client id it is, what the gate answers to it, why, and what to do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apiclients.cli.cluster.gather import Around
from apiclients.cli.screens.contracts import contract_line
from apiclients.cli.screens.foresight import of_client
from apiclients.cli.screens.presented import Presented
from apiclients.cli.screens.text import Mark
from apiclients.lifecycle.access import ClientContext, ClientView, Denial, TokenClaims, client_view, token_denial
from apiclients.lifecycle.access import issue_time as issue_time_of
from apiclients.lifecycle.api_view import Route, api_view
from apiclients.lifecycle.approvals import ruling
from apiclients.lifecycle.calls import CallDenial, call_scopes, route, without_audience
from apiclients.lifecycle.contract_view import contract_view
from apiclients.lifecycle.denials import DENIALS
from apiclients.resources.contract import ContractStatusName, Grant
from apiclients.resources.objects import Api, Contract
from apiclients.resources.refs import NamespacedName

Apis = Mapping[NamespacedName, Api]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate answers to one question."""

    #: "the client", "the token", or the Api, as namespace/name.
    question: str
    status: int
    #: As in the gate's metrics and log; None where it lets pass.
    reason: str | None
    meaning: str
    remedy: str

    @property
    def mark(self) -> Mark:
        """An icon."""
        return Mark.GOOD if self.reason is None else Mark.BAD


@dataclass(frozen=True, slots=True)
class TokenLine:
    """What a token says of itself; never the token."""

    issuer: str
    issued: datetime
    expires: datetime
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InspectView:
    """The whole answer."""

    client_id: str
    namespace: str
    name: str
    token: TokenLine | None
    #: About the client and the token, whatever it is for.
    client: Answer
    #: About each Api that the token is for or the client has a contract with; empty where the client is refused.
    apis: tuple[Answer, ...]
    missing: tuple[str, ...]
    now: datetime

    @property
    def refused(self) -> bool:
        """Whether anything is refused."""
        return any(answer.reason is not None for answer in (self.client, *self.apis))


def inspect_view(
    presented: Presented, around: Around | None, apis: Apis, now: datetime, *, revoked: bool | None = False
) -> InspectView:
    """The answer. ``around`` is None where there is no such client; ``apis`` are those that could be read.

    ``revoked`` says whether there is a TokenRevocation of the token, None where that may not be read.
    """
    client = client_view(around.client) if around is not None else None
    claims = presented.token or _fresh(client, now)
    denial = _denial(presented, client, claims, around, now, {claims.fingerprint} if revoked else ())
    answers: tuple[Answer, ...] = ()
    if denial is None and around is not None and client is not None:
        answers = tuple(_call(key, presented, around, client, apis) for key in _questions(presented, around))
    return InspectView(
        client_id=presented.client_id,
        namespace=presented.namespace,
        name=presented.name,
        token=_token_line(presented),
        client=_answer("the client" if presented.token is None else "the token", denial),
        apis=answers,
        missing=_not_known(around, denial, revoked),
        now=now,
    )


def _fresh(client: ClientView | None, now: datetime) -> TokenClaims:
    """The token that the client would be issued now."""
    if client is None:
        return TokenClaims("", 0, 0)
    issued = issue_time_of(client, now.timestamp())
    return TokenClaims(client.uid, issued, issued + client.token_seconds)


def _denial(
    presented: Presented,
    client: ClientView | None,
    claims: TokenClaims,
    around: Around | None,
    now: datetime,
    revoked: Collection[str],
) -> Denial | None:
    if client is None or around is None:
        return Denial.UNKNOWN_CLIENT
    if not client.uid.startswith(presented.uid):
        return Denial.OTHER_UID
    seen = of_client(around)
    context = ClientContext(seen.holds, frozenset(seen.contracts.active_names))
    return token_denial(client, claims, now.timestamp(), context, revoked)


def _not_known(around: Around | None, denial: Denial | None, revoked: bool | None) -> tuple[str, ...]:
    """What the answer would need too."""
    if around is None:
        return ()
    budget = (
        f"whether namespace {around.client.metadata.namespace} is over its budget, which gates alone count: if it is, "
        f"they refuse all of its clients ({Denial.OVER_BUDGET})"
    )
    revocation = f"whether the token was revoked by itself: if it was, gates refuse it ({Denial.REVOKED})"
    unknown = [budget] if revoked is not None else [budget, revocation]
    return (*map(str, around.unread), *(unknown if denial is None else []))


def _questions(presented: Presented, around: Around) -> list[NamespacedName]:
    contracted = {(c.spec.api.namespace, c.spec.api.name) for c in around.contracts}
    return sorted(contracted | set(presented.apis))


def _call(key: NamespacedName, presented: Presented, around: Around, client: ClientView, apis: Apis) -> Answer:
    """By the gate's own rules where the Api may be read, else by what status says of the contract."""
    contracts = [c for c in around.contracts if (c.spec.api.namespace, c.spec.api.name) == key]
    name, token = "/".join(key), presented.token
    found = _route(contracts, around, client, apis.get(key))
    if isinstance(found, CallDenial):
        waits = next((line.problem for line in map(contract_line, contracts) if line.problem), None)
        return _answer(name, found, waits)
    if token is not None and key not in presented.apis:
        return _answer(name, without_audience(found))
    if token is not None and isinstance(late := call_scopes(found, token.issued_at, presented.scopes), CallDenial):
        return _answer(name, late)
    return _answer(name, None)


def _route(contracts: list[Contract], around: Around, client: ClientView, api: Api | None) -> Route | CallDenial:
    by_approval = any(
        c.status.in_force is not None and c.status.in_force.granted_by is Grant.APPROVAL for c in contracts
    )
    if api is not None and (around.approvals or not by_approval):  # consumers often may not read approvals
        rulings = [ruling(approval) for approval in around.approvals]
        counts = api.status.contracts
        views = map(contract_view, contracts)
        return route(client.uid, views, api_view(api), rulings, counts.active if counts is not None else 0)
    in_force = (c for c in contracts if c.status.observed_status is ContractStatusName.ACTIVE)
    plan = next((c.status.in_force.plan for c in in_force if c.status.in_force is not None), None)
    return Route(plan, (), None) if plan is not None else CallDenial.NO_CONTRACT


def _answer(question: str, reason: Denial | CallDenial | None, more: str | None = None) -> Answer:
    if reason is None:
        return Answer(question, 200, None, "Passes.", "")
    refusal = DENIALS[reason]
    meaning = f"{refusal.meaning} {more}" if more else refusal.meaning
    return Answer(question, refusal.status, reason, meaning, refusal.remedy)


def _token_line(presented: Presented) -> TokenLine | None:
    token = presented.token
    if token is None:
        return None
    return TokenLine(presented.issuer, _time(token.issued_at), _time(token.expires), presented.audiences)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(max(0, min(seconds, 253402300799)), UTC)
