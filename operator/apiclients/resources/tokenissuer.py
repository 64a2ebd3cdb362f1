"""TokenIssuer: an issuer of somebody else whose tokens are recognised. Cluster-scoped: for administrators."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import (
    LIST_ATOMIC,
    LIST_SET,
    Model,
    Name,
    RefreshInterval,
    RepeatedTime,
    SecretName,
    Span,
    Time,
    TokenLifetime,
    list_map,
    parse_duration,
)

MAX_ISSUER_KEYS = 32
MAX_AUDIENCES = 16
MAX_SUBJECT_GRANTS = 256
MAX_SUBJECT = 253

#: What a text that is compared letter by letter may hold: visible ASCII without quotation marks and backslashes.
VISIBLE_PATTERN = r"^[\x21\x23-\x5B\x5D-\x7E]+$"
#: The same, or nothing.
PREFIX_PATTERN = r"^[\x21\x23-\x5B\x5D-\x7E]*$"
#: Where keys are fetched from; no user, no query, no fragment.
KEYS_URL_PATTERN = r"^https://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%/-]*)?$"
#: A name of a claim, as issuers use them: azp, client_id, appid, https://example.com/claim.
CLAIM_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
CONFIG_MAP_KEY_PATTERN = r"^[A-Za-z0-9._-]+$"

Visible = Annotated[str, Field(min_length=1, max_length=512, pattern=VISIBLE_PATTERN)]
Subject = Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT, pattern=VISIBLE_PATTERN)]
_KeysUrl = Annotated[str, Field(min_length=1, max_length=512, pattern=KEYS_URL_PATTERN)]
_ConfigMapKey = Annotated[str, Field(min_length=1, max_length=253, pattern=CONFIG_MAP_KEY_PATTERN)]
#: base64url without padding, as long as a number of 8192 bits is.
_Number = Annotated[str, Field(max_length=1400)]


class JwsAlgorithm(StrEnum):
    """Signature algorithms of foreign tokens: asymmetric, with all parameters fixed (RFC 7518, RFC 9864)."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    ED25519 = "Ed25519"


class ScopesFrom(StrEnum):
    """What decides about the scopes of a call with a foreign token. The contract always does."""

    TOKEN = "Token"
    CONTRACT = "Contract"


class TokenUse(StrEnum):
    """What tokens of an issuer are good for."""

    BEARER = "Bearer"
    CLIENT_ASSERTION = "ClientAssertion"


class KeyType(StrEnum):
    """Types of public keys (RFC 7518 section 6, RFC 8037)."""

    RSA = "RSA"
    EC = "EC"
    OKP = "OKP"


class ConfigMapKey(Model):
    """A key of a ConfigMap in the namespace of the operator, which reads no other."""

    name: Annotated[SecretName, Field(description="Name of the ConfigMap, in the operator's namespace.")]
    key: Annotated[_ConfigMapKey, Field(description="Which of its keys.")]


class ClusterKeys(Model):
    """The keys of the API server, by which it signs tokens of service accounts."""


class IssuerKeys(Model):
    discovery_url: Annotated[
        _KeysUrl | None,
        Field(
            alias="discoveryURL",
            description="Where the metadata of the issuer are (.../.well-known/openid-configuration); they name the "
            "place of its keys. Exactly one of discoveryURL, jwksURL, configMap and cluster is needed.",
        ),
    ] = None
    jwks_url: Annotated[
        _KeysUrl | None, Field(alias="jwksURL", description="Where its keys are (a JWKS, RFC 7517).")
    ] = None
    config_map: Annotated[
        ConfigMapKey | None, Field(description="A ConfigMap with its JWKS, for an issuer that cannot be reached.")
    ] = None
    cluster: Annotated[
        ClusterKeys | None, Field(description="{}: this cluster is the issuer, and its API server tells the keys.")
    ] = None


class CertificateAuthority(Model):
    config_map: Annotated[ConfigMapKey, Field(description="A ConfigMap with certificates in PEM.")]


class SubjectGrant(Model):
    """Which subjects the clients of a namespace may claim."""

    namespace: Annotated[Name, Field(description="Clients of this namespace may claim it.")]
    prefix: Annotated[
        str,
        Field(
            max_length=MAX_SUBJECT,
            pattern=PREFIX_PATTERN,
            description="How the subjects begin. Empty grants every subject of the issuer.",
        ),
    ]


class TokenIssuerSpec(Model):
    issuer: Annotated[
        Visible | None,
        Field(
            description="The claim iss of its tokens, letter by letter. It cannot change once it is in use: make "
            "another TokenIssuer. Required, but for keys.cluster, where the API server tells it."
        ),
    ] = None
    keys: Annotated[IssuerKeys, Field(description="Where its public keys come from.")]
    certificate_authority: Annotated[
        CertificateAuthority | None,
        Field(description="Who signs the certificate of the server with the keys. Default: the system's authorities."),
    ] = None
    audiences: Annotated[
        list[Visible],
        Field(
            min_length=1,
            max_length=MAX_AUDIENCES,
            description="The claim aud has to hold one of these, or the audience of the Api that is called. A token "
            "with one of these is good for every Api that the client has a contract with.",
        ),
        LIST_SET,
    ]
    algorithms: Annotated[
        list[JwsAlgorithm],
        Field(
            min_length=1,
            max_length=len(JwsAlgorithm),
            description="Signature algorithms that are accepted. Default: RS256 and ES256.",
        ),
        LIST_SET,
    ] = Field(default_factory=lambda: [JwsAlgorithm.RS256, JwsAlgorithm.ES256])
    types: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64, pattern=VISIBLE_PATTERN)]],
        Field(
            min_length=1,
            max_length=8,
            description="The header typ has to be one of these, in any case. A token without typ counts as JWT. "
            "Default: at+jwt and JWT.",
        ),
        LIST_SET,
    ] = Field(default_factory=lambda: ["at+jwt", "JWT"])
    subject_claim: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            pattern=CLAIM_PATTERN,
            description="The claim that tells which client a token is for, such as sub, azp, client_id or appid.",
        ),
    ] = "sub"
    scopes_from: Annotated[
        ScopesFrom,
        Field(
            description="Token: a call needs the scope in the token and in the contract. "
            "Contract: scopes of tokens are not looked at, the contract decides alone."
        ),
    ] = ScopesFrom.TOKEN
    uses: Annotated[
        list[TokenUse],
        Field(
            min_length=1,
            max_length=len(TokenUse),
            description="Bearer: its tokens are shown at calls. ClientAssertion: a token with the gate's issuer as its "
            "only audience gets one of the gate's own at /token (RFC 7523). Default: Bearer.",
        ),
        LIST_SET,
    ] = Field(default_factory=lambda: [TokenUse.BEARER])
    max_token_lifetime: Annotated[
        TokenLifetime,
        Field(description="A token ends so long after its iat at the latest, and with tokens.lifetime of its client."),
    ] = parse_duration("1h")
    refresh_interval: Annotated[
        RefreshInterval,
        Field(description="How often the keys are fetched; also at once, every 10s at most, for a key nobody knows."),
    ] = parse_duration("60s")
    stale_keys_for: Annotated[
        Span,
        Field(description="How long keys count that cannot be fetched any more; then tokens of this issuer get 503."),
    ] = parse_duration("24h")
    subjects: Annotated[
        list[SubjectGrant],
        Field(
            max_length=MAX_SUBJECT_GRANTS,
            description="Which namespaces may claim which subjects. Not for keys.cluster: there every namespace may "
            "claim its own service accounts and nothing else.",
        ),
        LIST_ATOMIC,
    ] = Field(default_factory=list)


class PublicKey(Model):
    """A public key (RFC 7517); what a JWK has besides is left out."""

    kid: Annotated[str, Field(min_length=1, max_length=253, pattern=VISIBLE_PATTERN, description="Its id.")]
    kty: Annotated[KeyType, Field(description="Its type.")]
    alg: Annotated[JwsAlgorithm | None, Field(description="The one algorithm that it is for, if it says so.")] = None
    crv: Annotated[str | None, Field(max_length=16, description="The curve, of EC and OKP.")] = None
    n: Annotated[_Number | None, Field(description="The modulus, of RSA.")] = None
    e: Annotated[_Number | None, Field(description="The exponent, of RSA.")] = None
    x: Annotated[_Number | None, Field(description="A coordinate, of EC and OKP.")] = None
    y: Annotated[_Number | None, Field(description="A coordinate, of EC.")] = None


class TokenIssuerStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[int, Field(ge=-1, description="The generation that was last observed.")] = -1
    issuer: Annotated[
        str | None,
        Field(max_length=512, description="The issuer in force, from the first time on that keys were found for it."),
    ] = None
    keys_from: Annotated[
        str | None, Field(max_length=768, description="Where the keys were found. Others count no longer.")
    ] = None
    keys: Annotated[
        list[PublicKey],
        Field(max_length=MAX_ISSUER_KEYS, description="The public keys by which gates check its tokens."),
        list_map("kid"),
    ] = Field(default_factory=list)
    last_fetch_time: Annotated[
        Time | None,
        Field(description="When the keys were last found; moved on when it is an eighth of staleKeysFor old."),
    ] = None
    conditions: Annotated[
        list[Condition], Field(max_length=16, description="Conditions; wait on Ready."), list_map("type")
    ] = Field(default_factory=list)
    repeated_time: RepeatedTime = None


def fetch_time_moves_after(spec: TokenIssuerSpec) -> timedelta:
    """How old ``lastFetchTime`` grows before it is written anew: not every fetch is worth a write."""
    return max(spec.stale_keys_for / 8, timedelta(seconds=1))
