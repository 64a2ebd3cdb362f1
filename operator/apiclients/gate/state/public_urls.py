"""Public URLs of Apis, and which Api each belongs to."""

import logging
from bisect import bisect_left, insort

from apiclients.lifecycle.api_view import ApiView
from apiclients.lifecycle.public_urls import Claim, claim
from apiclients.resources.refs import NamespacedName

logger = logging.getLogger(__name__)


class PublicUrls:
    """All claims, by URL, the one that counts first (``lifecycle.public_urls``)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._claims: dict[str, list[Claim]] = {}
        self._of: dict[NamespacedName, tuple[str, Claim]] = {}
        #: Claims that do not count and were told.
        self._told: dict[NamespacedName, str] = {}

    def of(self, api: NamespacedName) -> str | None:
        """The URL of an Api, if it is its own."""
        url, own = self._of.get(api, (None, None))
        return url if url is not None and self._claims[url][0] == own else None

    def owner(self, url: str) -> NamespacedName | None:
        """The Api that a URL belongs to."""
        claims = self._claims.get(url)
        return claims[0][1:] if claims else None

    def put(self, key: NamespacedName, api: ApiView | None) -> None:
        """Take in an Api as it is now, None for one that is gone."""
        self._drop(key)
        url = api.public_url if api is not None else None
        own = claim(api, self._issuer) if api is not None else None
        if url is not None and own is not None:
            self._of[key] = url, own
            insort(self._claims.setdefault(url, []), own)
        self._tell(key, url if self.of(key) is None else None)

    def _tell(self, key: NamespacedName, ignored: str | None) -> None:
        if ignored is None:
            self._told.pop(key, None)
        elif self._told.get(key) != ignored:
            self._told[key] = ignored
            logger.warning(
                "the publicURL of api %s/%s belongs to the issuer or to an older Api: it is not obeyed", *key
            )

    def _drop(self, key: NamespacedName) -> None:
        url, own = self._of.pop(key, (None, None))
        if url is None or own is None:
            return
        claims = self._claims[url]
        del claims[bisect_left(claims, own)]
        if not claims:
            del self._claims[url]
