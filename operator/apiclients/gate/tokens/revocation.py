"""Revocation (RFC 7009): a client gives up one of its tokens."""

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from apiclients.gate.state.problems import Problem
from apiclients.gate.state.revocations import Revocations
from apiclients.gate.tokens.acceptance import Acceptance
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.verifier import Fault, VerifiedToken
from apiclients.kube.errors import KubeError
from apiclients.lifecycle.access import ClientView
from apiclients.lifecycle.revocations import Revocable, latest_end, revocable

logger = logging.getLogger(__name__)

#: Writes at once. The Lease of this gate needs the same connections.
_MOST_AT_ONCE = 8


class Revoked(StrEnum):
    """What became of a request; the label ``outcome`` of the metrics."""

    REVOKED = "revoked"
    #: Unknown, over, of somebody else or revoked before: nobody is told which (RFC 7009 section 2.2).
    NOTHING_TO_DO = "nothing_to_do"
    TOO_MANY = "too_many"


class RevocationStore(Protocol):
    """Where revocations are kept for all gates; :class:`apiclients.gate.revoking.RevocationWriter`."""

    async def add(self, fingerprint: str, client: ClientView, ends: int) -> None:
        """Store one and have it known here. Raises KubeError."""


class Revocation:
    """Revokes tokens of authenticated clients."""

    def __init__(
        self,
        acceptance: Acceptance,
        revocations: Revocations,
        store: RevocationStore,
        wall: Callable[[], float],
    ) -> None:
        self._acceptance = acceptance
        self._revocations = revocations
        self._store = store
        self._wall = wall

    async def revoke(self, caller: ClientView, token: bytes) -> Revoked:
        """Have a token of the caller refused by all gates; once this returns REVOKED, it is stored and refused here.

        Raises NotReadyError where that cannot be promised: it may be in force all the same, and may be asked for again.
        """
        verified = self._acceptance.signed(token)
        if verified is Fault.UNKNOWN_KEY:  # whose it is shows when the key has come
            raise NotReadyError(Problem.ISSUER_KEYS_STALE)
        if not isinstance(verified, VerifiedToken) or verified.claims.fingerprint in self._revocations:
            return Revoked.NOTHING_TO_DO
        ends = latest_end(verified.claims, foreign=verified.foreign is not None)
        match revocable(caller, verified.claims, ends, self._wall(), self._revocations.counts(caller)):
            case Revocable.NOTHING_TO_DO:
                return Revoked.NOTHING_TO_DO
            case Revocable.TOO_MANY:
                return Revoked.TOO_MANY
            case Revocable.REVOKE:
                await self._write(verified.claims.fingerprint, caller, ends)
                return Revoked.REVOKED

    async def _write(self, fingerprint: str, client: ClientView, ends: int) -> None:
        if self._revocations.under_way >= _MOST_AT_ONCE:
            raise NotReadyError(Problem.REVOCATION_NOT_STORED)
        try:
            with self._revocations.writing(client):
                await self._store.add(fingerprint, client, ends)
        except KubeError as error:
            logger.warning("a revocation could not be stored: %s", error)
            raise NotReadyError(Problem.REVOCATION_NOT_STORED) from None
        if fingerprint not in self._revocations:  # taken back at once, by somebody who may
            raise NotReadyError(Problem.REVOCATION_NOT_STORED)
