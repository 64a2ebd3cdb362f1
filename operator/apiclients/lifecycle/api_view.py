"""What decisions about others need of one Api: its plans, whom it lets in, and whether it is retired."""

from collections.abc import Mapping
from dataclasses import dataclass

from apiclients.lifecycle.acknowledgement import ApiDesiredStatus, api_desired_status
from apiclients.resources.api import Approval, Consumers, Plan
from apiclients.resources.objects import Api, Metadata


@dataclass(frozen=True, slots=True)
class Route:
    """How a client gets to an Api: the plan in force and what it covers."""

    plan: str
    scopes: tuple[str, ...]
    #: Requests and seconds, for the gateway to enforce.
    rate_limit: tuple[int, int] | None
    #: Tokens of before this second were issued for an Api that had the name before, in seconds since the epoch.
    not_before: int = 0
    #: When the contract ends by itself, in seconds since the epoch.
    ends: float | None = None


@dataclass(frozen=True, slots=True)
class PlanView:
    """One plan of an Api: who lets contracts in, and the route of all contracts under it."""

    approval: Approval
    route: Route


@dataclass(frozen=True, slots=True)
class ApiView:
    """One Api for everybody but itself."""

    namespace: str
    name: str
    uid: str
    deleting: bool
    desired_status: ApiDesiredStatus
    #: By name, in the order of spec.
    plans: Mapping[str, PlanView]
    consumers: Consumers
    public_url: str | None = None
    #: When it was created, in seconds since the epoch.
    created: int = 0


def api_view(api: Api) -> ApiView:
    """The view of an Api."""
    begins = tokens_begin(api.metadata)
    return ApiView(
        namespace=api.metadata.namespace,
        name=api.metadata.name,
        uid=api.metadata.uid,
        deleting=api.metadata.deleting,
        desired_status=api_desired_status(api),
        plans={plan.name: PlanView(plan.approval, _route(plan, begins)) for plan in api.spec.plans},
        consumers=api.spec.consumers,
        public_url=api.spec.public_url,
        created=int(api.metadata.creation_time.timestamp()) if api.metadata.creation_time is not None else 0,
    )


def tokens_begin(api: Metadata) -> int:
    """The first second whose tokens are for this Api, and for none of its name before it (rule 13).

    Creation times are cut to seconds, and so is ``iat``: in the second of the creation the one before may have ended.
    """
    return int(api.creation_time.timestamp()) + 1 if api.creation_time is not None else 0


def _route(plan: Plan, not_before: int) -> Route:
    limit = plan.rate_limit
    return Route(
        plan=plan.name,
        scopes=tuple(sorted(plan.scopes)),
        rate_limit=(limit.requests, int(limit.window.total_seconds())) if limit is not None else None,
        not_before=not_before,
    )
