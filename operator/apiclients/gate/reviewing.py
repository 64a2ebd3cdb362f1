"""Asks the API server whether tokens of service accounts still count (TokenReview): signatures tell nothing of pods."""

import asyncio
import logging
from weakref import WeakValueDictionary

from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError
from apiclients.kube.objects import TOKEN_REVIEWS, JsonObject

logger = logging.getLogger(__name__)

#: The caller waits, for its turn included.
_SECONDS = 5.0
#: Reviews have room of their own, so that Lease renewals and verification never wait behind them.
_AT_ONCE = 8
#: And one client cannot take all of it.
_AT_ONCE_OF_CLIENT = 2


class TokenReviewer:
    """Asks under the gate's own account. ``audience`` is what the tokens have to be for."""

    def __init__(self, client: KubeClient, audience: str, seconds: float = _SECONDS) -> None:
        self._client = client
        self._audience = audience
        self._seconds = seconds
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._room_of_client: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._failing = False

    async def is_live(self, token: bytes, subject: str, client_uid: str) -> bool:
        """Whether the API server accepts this token of a service account, and what it is bound to is there.

        Raises NotReadyError if it does not say so in time.
        """
        own_room = self._room_of_client.setdefault(client_uid, asyncio.Semaphore(_AT_ONCE_OF_CLIENT))
        try:
            async with asyncio.timeout(self._seconds), own_room, self._room:
                review = await self._client.create(TOKEN_REVIEWS, None, self._request(token), urgent=True)
        except (KubeError, TimeoutError) as error:
            self._note_failure(error)
            raise NotReadyError(Problem.NO_TOKEN_REVIEW) from None
        self._note_success()
        return self._accepts(review, subject)

    def _request(self, token: bytes) -> JsonObject:
        return {
            "apiVersion": TOKEN_REVIEWS.api_version,
            "kind": TOKEN_REVIEWS.kind,
            "metadata": {},
            "spec": {"token": token.decode(), "audiences": [self._audience]},
        }

    def _accepts(self, review: JsonObject, subject: str) -> bool:
        """A server that does not know audiences names none, and has checked none."""
        status = review.get("status") or {}
        user = (status.get("user") or {}).get("username")
        return (
            status.get("authenticated") is True
            and self._audience in (status.get("audiences") or ())
            and user == subject
        )

    def _note_failure(self, error: Exception) -> None:
        """Neither names the token: the request has no name, and its answer is hidden."""
        level = logging.DEBUG if self._failing else logging.WARNING
        self._failing = True
        logger.log(level, "tokens of service accounts cannot be reviewed: %s", str(error) or type(error).__name__)

    def _note_success(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("tokens of service accounts can be reviewed again")
