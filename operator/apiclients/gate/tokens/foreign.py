"""Tokens of trusted issuers: is this byte string one that an issuer of a TokenIssuer has signed (DESIGN rule 29)?

Others write these, in many ways, so a library reads the signature. What it is asked is decided here before: the issuer
by its exact name, of that issuer the one key that the token names, and of that key the algorithms that fit it and are
allowed. Nothing in a token brings a key along, leads to one, or says how it is to be checked.

Which client a token stands for, and whether that is accepted now, is asked of ``lifecycle`` on every request: verified
signatures are cached, decisions never (rule 18).
"""

import base64
import binascii
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from math import ceil, floor, isfinite
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from apiclients.gate.tokens.verifier import (
    CACHE_SIZE,
    MAX_TOKEN_BYTES,
    WEIGHT_BYTES,
    Fault,
    InvalidTokenError,
    SignatureCache,
)
from apiclients.lifecycle.foreign import ForeignClaims
from apiclients.lifecycle.issuers import LEAST_PAUSE, IssuerView, first_of
from apiclients.lifecycle.jwks import algorithms_of
from apiclients.lifecycle.revocations import fingerprint
from apiclients.resources.tokenissuer import MAX_SUBJECT, JwsAlgorithm, PublicKey, ScopesFrom, TokenUse

#: Header parameters that bring a key along, lead to one, or change how a signature is read (RFC 7515 section 4.1, RFC
#: 7797). Others say nothing that counts and are left alone (RFC 7515 section 4).
_REFUSED_HEADERS = frozenset({"crit", "jku", "jwk", "x5u", "b64"})
_MAX_HEADER_BYTES = 2048
#: Where tokens of service accounts say what they are for, and the objects with which one ends.
_ABOUT_SERVICE_ACCOUNT = "kubernetes.io"
_BOUND_TO = frozenset({"pod", "secret", "node"})
_MAX_TIME = 2**53
_PAUSE_SECONDS = LEAST_PAUSE.total_seconds()
_REGISTRY = {one: jws.JWSRegistry(algorithms=[one.value], strict_check_header=False) for one in JwsAlgorithm}
for _registry in _REGISTRY.values():
    _registry.max_header_length = _MAX_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class _Key:
    """A public key, and what it may check."""

    material: RSAKey | ECKey | OKPKey
    algorithms: frozenset[JwsAlgorithm]


@dataclass(slots=True)
class TrustedIssuer:
    """A TokenIssuer with its keys. What was verified for one counts while it is the one in use."""

    view: IssuerView
    keys: Mapping[str, _Key]


@dataclass(frozen=True, slots=True)
class ForeignToken:
    """What a token with a good signature says."""

    issuer: TrustedIssuer
    #: The claim iss.
    name: str
    claims: ForeignClaims
    #: None where scopes of its tokens are not looked at.
    scopes: tuple[str, ...] | None
    token_id: str
    audiences: tuple[str, ...]
    #: It names an audience of the issuer, and so is for every Api.
    everywhere: bool = False
    #: Of a service account, and ends with a pod, a Secret or a node.
    bound: bool = False


class UnknownKeys:
    """Counts tokens that name a key which is not known, by the name of the TokenIssuer.

    Anybody can send such tokens, so ``tell`` hears of an issuer once in a while only.
    """

    def __init__(
        self, tell: Callable[[], None] = lambda: None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._monotonic = monotonic
        self._told: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def note(self, issuer: str) -> None:
        """A token of an issuer named a key that is not known."""
        self.counts[issuer] += 1
        now = self._monotonic()
        if now - self._told.get(issuer, -_PAUSE_SECONDS) >= _PAUSE_SECONDS:
            self._told[issuer] = now
            self._tell()

    def keep(self, issuers: frozenset[str]) -> None:
        """Forget all others."""
        for gone in self.counts.keys() - issuers:
            del self.counts[gone]
            self._told.pop(gone, None)


class ForeignVerifier:
    """Verifies tokens of all trusted issuers."""

    def __init__(self, own_issuer: str, unknown_keys: UnknownKeys | None = None, cache_size: int = CACHE_SIZE) -> None:
        self._own_issuer = own_issuer
        self._apis = f"{own_issuer}/apis/"
        self._issuers: dict[str, TrustedIssuer] = {}
        self.cache: SignatureCache[ForeignToken] = SignatureCache(cache_size)
        self.unknown_keys = unknown_keys or UnknownKeys()

    def __bool__(self) -> bool:
        """Whether any issuer is trusted."""
        return bool(self._issuers)

    def use(self, views: Iterable[IssuerView]) -> None:
        """Trust these TokenIssuers from now on. One that has not changed keeps what was verified for it."""
        views = list(views)
        known, self._issuers = self._issuers, {}
        for view in views:
            name = view.claimed
            if name is None or name == self._own_issuer or not view.recognised or first_of(views, name) is not view:
                continue
            before = known.get(name)
            if before is not None and _decides(before.view) == _decides(view):
                before.view = view
                self._issuers[name] = before
            else:
                self._issuers[name] = TrustedIssuer(view, _keys(view))
        self.unknown_keys.keep(frozenset(view.name for view in views))

    def verify(self, token: bytes) -> ForeignToken:
        """What the token says; from the cache if its signature was verified before. Raises InvalidTokenError."""
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError(Fault.MALFORMED)
        spelling = sha256(token).digest()
        known = self.cache.get(spelling)
        if known is not None and self._issuers.get(known.name) is known.issuer:
            return known
        verified = self.verify_uncached(token)
        self.cache.put(spelling, verified, 1 + len(token) // WEIGHT_BYTES)
        return verified

    def verify_uncached(self, token: bytes) -> ForeignToken:
        """The whole check: the issuer by its name, then its key, then the signature, then the claims."""
        claims, issuer, name = self._signed(token, TokenUse.BEARER)
        audiences, view = _audiences(claims.get("aud")), issuer.view
        everywhere = not (view.audiences - {self._own_issuer}).isdisjoint(audiences)
        if not everywhere and not any(one.startswith(self._apis) for one in audiences):
            raise InvalidTokenError(Fault.BAD_CLAIMS)
        scopes = _scopes(claims) if view.scopes_from is ScopesFrom.TOKEN else None
        return ForeignToken(
            issuer, name, _times(claims, view, fingerprint(token)), scopes, _token_id(claims), audiences, everywhere
        )

    def verify_assertion(self, token: bytes, own_issuer: Callable[[str], IssuerView | None]) -> ForeignToken:
        """What a client assertion says, a token for our token endpoint alone (RFC 7523). Raises InvalidTokenError.

        Its one audience is our issuer, so that what is for somebody else too is of no use here (rfc7523bis). Most are
        shown once, so none is cached. Of an issuer that is no TokenIssuer ``own_issuer`` is asked: it may be a client
        with keys of its own.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise InvalidTokenError(Fault.MALFORMED)
        claims, issuer, name = self._signed(token, TokenUse.CLIENT_ASSERTION, own_issuer)
        audiences = _audiences(claims.get("aud"))
        if audiences != (self._own_issuer,):
            raise InvalidTokenError(Fault.BAD_CLAIMS)
        times, bound = _times(claims, issuer.view, fingerprint(token)), issuer.view.cluster and _is_bound(claims)
        if issuer.view.of_client and times.subject != name:
            raise InvalidTokenError(Fault.BAD_CLAIMS)
        return ForeignToken(issuer, name, times, None, _token_id(claims), audiences, bound=bound)

    def _signed(
        self, token: bytes, use: TokenUse, own_issuer: Callable[[str], IssuerView | None] = lambda _: None
    ) -> tuple[dict[str, Any], TrustedIssuer, str]:
        """The claims of a token with a good signature, of whom, and the name of that issuer."""
        parts = token.split(b".", 3)
        if len(parts) != 3 or len(parts[0]) > _MAX_HEADER_BYTES:
            raise InvalidTokenError(Fault.MALFORMED)
        header, claims = _object(parts[0]), _object(parts[1])
        name = claims.get("iss")
        issuer = self._issuers.get(name) or _trusted(own_issuer(name)) if isinstance(name, str) else None
        if issuer is None or not isinstance(name, str):
            raise InvalidTokenError(Fault.UNKNOWN_HEADER)
        if use not in issuer.view.uses:
            raise InvalidTokenError(Fault.WRONG_USE)
        algorithm = _algorithm(header, issuer.view)
        _check_signature(token, self._key(header, issuer), algorithm)
        return claims, issuer, name

    def _key(self, header: Mapping[str, Any], issuer: TrustedIssuer) -> _Key:
        """The key that a token names, of its issuer and no other."""
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise InvalidTokenError(Fault.BAD_HEADER)
        key = issuer.keys.get(kid)
        if key is None:
            if not issuer.view.of_client:
                self.unknown_keys.note(issuer.view.name)
            raise InvalidTokenError(Fault.UNKNOWN_KEY)
        return key


def _decides(view: IssuerView) -> IssuerView:
    """What of a TokenIssuer decides about what was verified: not until when its keys count."""
    return replace(view, keys_end=0)


def _trusted(view: IssuerView | None) -> TrustedIssuer | None:
    return TrustedIssuer(view, _keys(view)) if view is not None else None


def _keys(view: IssuerView) -> Mapping[str, _Key]:
    fitting = {key.kid: (key, algorithms_of(key) & view.algorithms) for key in view.keys}
    return {kid: _Key(_material(key), algorithms) for kid, (key, algorithms) in fitting.items() if algorithms}


@lru_cache(maxsize=1024)
def _material(key: PublicKey) -> RSAKey | ECKey | OKPKey:
    numbers = {name: getattr(key, name) for name in ("n", "e", "crv", "x", "y")}
    found = import_key({"kty": key.kty.value} | {name: value for name, value in numbers.items() if value is not None})
    assert isinstance(found, RSAKey | ECKey | OKPKey)
    return found


def _object(part: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(base64.b64decode(part.translate(_FROM_URL) + b"=" * (-len(part) % 4), validate=True))
    except (binascii.Error, orjson.JSONDecodeError):
        raise InvalidTokenError(Fault.MALFORMED) from None
    if not isinstance(found, dict) or b"+" in part or b"/" in part or b"=" in part:
        raise InvalidTokenError(Fault.MALFORMED)
    return found


_FROM_URL = bytes.maketrans(b"-_", b"+/")


def _algorithm(header: Mapping[str, Any], view: IssuerView) -> JwsAlgorithm:
    """The algorithm of a token, once nothing else in its header is in the way. Raises InvalidTokenError."""
    kind = header.get("typ", "JWT")
    if not _REFUSED_HEADERS.isdisjoint(header) or not isinstance(kind, str):
        raise InvalidTokenError(Fault.BAD_HEADER)
    if kind.lower().removeprefix("application/") not in view.types:
        raise InvalidTokenError(Fault.BAD_HEADER)
    found = next((one for one in view.algorithms if one.value == header.get("alg")), None)
    if found is None:
        raise InvalidTokenError(Fault.BAD_HEADER)
    return found


def _check_signature(token: bytes, key: _Key, algorithm: JwsAlgorithm) -> None:
    if algorithm not in key.algorithms:
        raise InvalidTokenError(Fault.BAD_HEADER)
    try:
        jws.deserialize_compact(token, key.material, [algorithm.value], _REGISTRY[algorithm])
    except (JoseError, ValueError, TypeError):
        raise InvalidTokenError(Fault.BAD_SIGNATURE) from None


def _audiences(claimed: Any) -> tuple[str, ...]:
    found = tuple(claimed) if isinstance(claimed, list) else (claimed,)
    if not all(type(one) is str for one in found):
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    return found


def _subject(claimed: Any) -> str:
    if type(claimed) is not str or not 0 < len(claimed) <= MAX_SUBJECT:
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    return claimed


def _token_id(claims: Mapping[str, Any]) -> str:
    found = claims.get("jti")
    return found if isinstance(found, str) else ""


def _is_bound(claims: Mapping[str, Any]) -> bool:
    about = claims.get(_ABOUT_SERVICE_ACCOUNT)
    return isinstance(about, dict) and not _BOUND_TO.isdisjoint(about)


def _times(claims: Mapping[str, Any], view: IssuerView, signed: str) -> ForeignClaims:
    """RFC 7519 section 4.1; a fraction of a second never makes a token younger or longer."""
    issued, expires = _time(claims.get("iat")), _time(claims.get("exp"))
    not_before = _time(claims.get("nbf", 0))
    if issued is None or expires is None or not_before is None or not 0 < issued < expires:
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    subject = _subject(claims.get(view.subject_claim))
    return ForeignClaims(subject, floor(issued), floor(expires), ceil(not_before), signed)


def _time(claimed: Any) -> float | int | None:
    is_number = type(claimed) is int or (type(claimed) is float and isfinite(claimed))
    return claimed if is_number and 0 <= claimed <= _MAX_TIME else None


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """``scope`` (RFC 9068 section 2.2.3), or ``scp`` as a text or as a list of texts."""
    claimed = claims.get("scope", claims.get("scp", ""))
    found = claimed if isinstance(claimed, list) else claimed.split(" ") if isinstance(claimed, str) else [None]
    if not all(type(one) is str for one in found):
        raise InvalidTokenError(Fault.BAD_CLAIMS)
    return tuple(filter(None, found))
