"""What kopf calls: one handler for each kind, and the login. Each says what enters where; none decides anything.

The way from what a person declares to the status that they read:

1. The stores of the six kinds list them (`controllers.manager`). kopf watches from there
   (`controllers.first_watch`) and calls a handler below with each event.
2. The handler gives the object to the store of its kind (`controllers.store`), which puts it in order with lists, reads
   and own writes (`kube.object_state`) and tells of the change, if it is one.
3. `controllers.cluster` feeds the change to `engine.relations`, which answers who has to be looked at again and why.
   They wait in the work queue (`controllers.queue`), which holds each object at most once.
4. A worker (`controllers.manager`) takes one to `controllers.reconciler`. That reads the object from its store, not
   from the event, and begins `engine.converge`: observe (`engine.observe`), decide (`lifecycle`, without IO), one step.
5. `controllers.steps` carries out each step, which is all that is done to Secrets (`controllers.secrets`), and
   `engine.converge` observes again, until there is nothing left to do.
6. The reconciler writes the status once (`controllers.status`); the answer enters the store as an own write.

Failed work and what comes due return to step 4 (`controllers.queue`, `controllers.due`); kopf retries nothing.
docs/decisions/0009 says which parts of kopf are in use.
"""

from dataclasses import dataclass
from typing import Any, Self

import kopf

from apiclients.controllers.cluster import Cluster
from apiclients.controllers.first_watch import FirstWatch
from apiclients.kube.client import KubeClient
from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS, CONTRACT_APPROVALS, CONTRACTS, TOKEN_ISSUERS
from apiclients.resources.names import GROUP, VERSION

_KOPF_CONNECTIONS = 8

registry = kopf.OperatorRegistry()
"""All handlers of the operator."""


@dataclass(frozen=True, slots=True)
class OperatorMemo:
    """What kopf hands to every handler as ``memo``."""

    kube: KubeClient
    cluster: Cluster
    #: Of this process: kopf may log in again.
    first_watch: FirstWatch

    def __copy__(self) -> Self:
        """Kopf copies the memo for each object, for handlers that keep something in it. These do not."""
        return self


@kopf.on.login(registry=registry)
async def login(memo: OperatorMemo, **_: Any) -> kopf.AiohttpSession:
    """Let kopf in with the credentials, certificates and metrics of the operator's own client."""
    session = memo.kube.new_session(_KOPF_CONNECTIONS, [memo.first_watch])
    return kopf.AiohttpSession(server=memo.kube.server, aiohttp_session=session)


@kopf.on.event(GROUP, VERSION, API_CLIENTS.plural, registry=registry)
async def api_client_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the ApiClient; a new desired status also its contracts, new labels also the holds of its namespace."""
    memo.cluster.clients.take_event(event["type"], event["object"])


@kopf.on.event(GROUP, VERSION, APIS.plural, registry=registry)
async def api_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the Api; a change of its spec or of its desired status in force also the contracts for it."""
    memo.cluster.apis.take_event(event["type"], event["object"])


@kopf.on.event(GROUP, VERSION, CONTRACTS.plural, registry=registry)
async def contract_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the Contract, its ApiClient and Api, its rivals, and the approvals that name it."""
    memo.cluster.contracts.take_event(event["type"], event["object"])


@kopf.on.event(GROUP, VERSION, CONTRACT_APPROVALS.plural, registry=registry)
async def contract_approval_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the ContractApproval, the Contract that it names, and other approvals of that one."""
    memo.cluster.approvals.take_event(event["type"], event["object"])


@kopf.on.event(GROUP, VERSION, API_CLIENT_HOLDS.plural, registry=registry)
async def api_client_hold_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the ApiClientHold, and the clients that it matches or did match."""
    memo.cluster.holds.take_event(event["type"], event["object"])


@kopf.on.event(GROUP, VERSION, TOKEN_ISSUERS.plural, registry=registry)
async def token_issuer_event(event: kopf.RawEvent, memo: OperatorMemo, **_: Any) -> None:
    """Concerns the TokenIssuer, the clients whose identities name it, and other TokenIssuers for the same issuer."""
    memo.cluster.issuers.take_event(event["type"], event["object"])
