"""Why a caller gets nothing, without HTTP."""

from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.verifier import Fault
from apiclients.lifecycle.access import ClientView, Denial

#: What a caller who presented a right secret learns. A stranger learns nothing of a client (rule 15 in spirit).
_HINTS = {
    Denial.SUSPENDED: "The client is suspended.",
    Denial.HELD: "The client is stopped by a hold.",
    Denial.RETIRED: "The client is retired.",
    Denial.DELETING: "The client is being deleted.",
    Denial.PENDING: "The client is not ready yet.",
    Denial.OVER_BUDGET: "The namespace of the client has too many holds and clients that are not Available.",
    Denial.SECRET_EXPIRED: "The secret has expired; use the current one.",
    Denial.SECRET_REVOKED: "The secret has been revoked; use the current one.",
    Denial.TOKEN_EXPIRED: "The assertion has expired.",
    Denial.TOKEN_TOO_OLD: "The assertion is from before the client's notBefore; use a newer one.",
    Denial.OTHER_CLIENT: "The client_id is not that of the assertion.",
    Denial.ASSERTION_USED: "The assertion was used before; each is good for one request.",
    Denial.REVIEW_DENIED: "The API server does not accept the token any more; use a newer one.",
    Denial.TOO_MANY_ASSERTIONS: "Too many assertions of this namespace are in use; keep tokens until they end.",
}


class NotReadyError(Exception):
    """Nothing can be decided now."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class RefusedError(Exception):
    """A caller is refused."""

    def __init__(self, reason: Denial | Fault, client: ClientView | None = None) -> None:
        """``client`` is the one that was named, if there is one."""
        super().__init__(reason.value)
        self.reason = reason
        self.client = client

    @property
    def hint(self) -> str:
        """What the caller may learn beyond the refusal: something only after a right secret."""
        return _HINTS.get(self.reason, "") if isinstance(self.reason, Denial) else ""


class GrantError(Exception):
    """What an authenticated client asks for cannot be granted; an error of RFC 6749 or RFC 8707, and why."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
