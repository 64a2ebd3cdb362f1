"""What each reason for a refusal means and what to do about it: the gate's page and the plugin say the same.

A reason is the label ``reason`` of the gate's metrics and a field of its log. Callers are not told: see rule 15.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apiclients.lifecycle.access import Denial
from apiclients.lifecycle.calls import CallDenial

NO_CREDENTIALS = "no_credentials"
BAD_PATH = "bad_path"


@dataclass(frozen=True, slots=True)
class DenialMeaning:
    """One reason: the status that a caller gets, what it means, and what to do."""

    status: int
    meaning: str
    remedy: str


_NEW_TOKEN = "Ask for a new token."
_TOKEN_ENDPOINT = 401

DENIALS: Mapping[str, DenialMeaning] = {
    NO_CREDENTIALS: DenialMeaning(401, "The request has no bearer token.", "Send it: Authorization: Bearer TOKEN."),
    "malformed": DenialMeaning(
        401, "What was sent is no JWT, or too long.", "Look at what the caller sends: a whole access token, unchanged."
    ),
    "unknown_header": DenialMeaning(
        401,
        "The token is of another issuer, or signed with a key that is not in use any more.",
        f"{_NEW_TOKEN} If that does not help, compare the issuer of the token with that of the gate.",
    ),
    "bad_signature": DenialMeaning(401, "The token was changed, or signed by somebody else.", _NEW_TOKEN),
    "bad_claims": DenialMeaning(
        401, "The token is not of this issuer, or lacks a claim.", f"{_NEW_TOKEN} The issuer may have been changed."
    ),
    "bad_header": DenialMeaning(
        401,
        "The header of a trusted issuer's token is not allowed: its alg, its typ, or one that brings a key along.",
        "Compare it with spec.algorithms and spec.types of the TokenIssuer.",
    ),
    "unknown_key": DenialMeaning(
        401,
        "A token of a trusted issuer, or a client's own assertion, is signed with a key that is not among its keys.",
        "The operator fetches an issuer's again: kubectl describe tokenissuer. A client's own are in spec.keys.",
    ),
    "wrong_use": DenialMeaning(
        401,
        "A trusted issuer's token is used for what its TokenIssuer does not allow: at calls, or at /token.",
        "Compare with spec.uses of the TokenIssuer: Bearer is for calls, ClientAssertion for /token.",
    ),
    Denial.UNKNOWN_CLIENT: DenialMeaning(
        401,
        "There is no such client: it was deleted, or never declared.",
        "Declare it in Git; it gets a new client id.",
    ),
    Denial.UNKNOWN_IDENTITY: DenialMeaning(
        401,
        "The token is of a trusted issuer, and its subject is no identity in force of any client.",
        "Name it in spec.identities of its client; kubectl apiclient explain NAME says what that waits for.",
    ),
    Denial.TOKEN_NOT_YET_VALID: DenialMeaning(
        401, "The token is from the future (iat, nbf): a clock is wrong.", "Compare the clock of the issuer with this."
    ),
    Denial.OTHER_UID: DenialMeaning(
        401,
        "The client was deleted and made again under the same name.",
        "Deploy the new Secret and ask for a new token.",
    ),
    Denial.DELETING: DenialMeaning(401, "The client is being deleted.", "This cannot be undone: declare it again."),
    Denial.RETIRED: DenialMeaning(
        401, "The client is retired.", "Within the grace period revert it in Git; else register it again."
    ),
    Denial.HELD: DenialMeaning(
        401, "A hold stops the client.", "Ask who placed it; kubectl apiclient release takes it back."
    ),
    Denial.SUSPENDED: DenialMeaning(
        401, "The client is suspended, or its resumption waits for the operator.", "kubectl apiclient explain NAME."
    ),
    Denial.PENDING: DenialMeaning(
        401, "The client has no secret yet, or its status was wiped.", "kubectl apiclient explain NAME."
    ),
    Denial.SECRET_EXPIRED: DenialMeaning(
        _TOKEN_ENDPOINT,
        "The secret that was presented has expired.",
        "Read the Secret again; rotate where it is Manual.",
    ),
    Denial.SECRET_REVOKED: DenialMeaning(
        _TOKEN_ENDPOINT, "The secret was issued before spec.secret.notBefore.", "Read the Secret again."
    ),
    Denial.WRONG_SECRET: DenialMeaning(
        _TOKEN_ENDPOINT,
        "The secret is none of the client's: mistyped, or an overlap has ended.",
        "Read the Secret again and restart what uses it.",
    ),
    Denial.TOKEN_EXPIRED: DenialMeaning(
        401, "The token has ended: exp, or iat plus today's spec.tokens.lifetime.", _NEW_TOKEN
    ),
    Denial.TOKEN_TOO_OLD: DenialMeaning(
        401, "The token was issued before the client's notBefore, so it was revoked.", _NEW_TOKEN
    ),
    Denial.REVOKED: DenialMeaning(
        401, "The client has revoked this very token, at /revoke, or an administrator has for it.", _NEW_TOKEN
    ),
    Denial.OVER_BUDGET: DenialMeaning(
        401,
        "The namespace of the client has more holds and clients that are not Available than its budget.",
        "Delete holds that are over and retired clients that nobody needs.",
    ),
    Denial.OTHER_CLIENT: DenialMeaning(
        _TOKEN_ENDPOINT,
        "client_id in the form is not that of the client whose assertion this is.",
        "Leave client_id out, or send the one in status.clientId.",
    ),
    Denial.ASSERTION_USED: DenialMeaning(
        _TOKEN_ENDPOINT,
        "The client assertion was shown before, and each is good for one request.",
        "Sign, or have the issuer sign, a new one for each request; if the caller does so, somebody has copied it.",
    ),
    Denial.TOO_MANY_ASSERTIONS: DenialMeaning(
        _TOKEN_ENDPOINT,
        "The client, or its namespace, has used more assertions that have not expired than a gate remembers.",
        "Keep tokens until they end, and let assertions expire within minutes.",
    ),
    Denial.REVIEW_DENIED: DenialMeaning(
        _TOKEN_ENDPOINT,
        "The API server does not accept the service account's token: its pod, Secret or account was deleted.",
        "Nothing, if the pod is gone. Else read the token anew from its file.",
    ),
    CallDenial.WRONG_AUDIENCE: DenialMeaning(
        401,
        "The token is not for this Api, to which the client has a contract: it was issued before the contract "
        "came into force, or for another resource. At /check: it is for Apis alone.",
        f"{_NEW_TOKEN} A client that does so upon every 401 needs nobody's help.",
    ),
    CallDenial.TOKEN_BEFORE_API: DenialMeaning(401, "The Api was made again after the token was issued.", _NEW_TOKEN),
    CallDenial.NO_CONTRACT: DenialMeaning(
        403,
        "The token is good; no contract of the client with this Api is in force, or there is no such Api.",
        "kubectl apiclient explain NAME says what its contracts wait for.",
    ),
    CallDenial.INSUFFICIENT_SCOPE: DenialMeaning(
        403, "The token or the plan does not cover the scope.", "Ask for the scope, or contract a plan that has it."
    ),
    CallDenial.API_RETIRED: DenialMeaning(410, "The Api is retired.", "Move to its successor; its owner knows which."),
    BAD_PATH: DenialMeaning(403, "The path names no Api.", "Correct the gateway: /authz/NAMESPACE/API."),
}
