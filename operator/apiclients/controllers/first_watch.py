"""kopf's first list of a kind, which shows nothing: its watch begins at the version of the list that the store read.

kopf lists before it watches, and hands on what it lists object by object. The store has just read all of that: a second
time it would cost more CPU than a reconcile that changes nothing. With one list nothing can happen unseen between two.
"""

from collections.abc import Iterable
from typing import Any

import aiohttp

from apiclients.controllers.store import ObjectStore

#: No object has this name.
_NOTHING = {"fieldSelector": "metadata.name=-", "resourceVersionMatch": "Exact"}


class FirstWatch:
    """A middleware of kopf's session. Any list but the first of a kind passes as it is, and so does one that fails."""

    def __init__(self, stores: Iterable[ObjectStore[Any]]) -> None:
        """``stores`` have been loaded before kopf starts."""
        self._stores = {store.resource.path(): store for store in stores}

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request. Raises what the handler raises."""
        path = self._first_list(request)
        if path is None:
            return await handler(request)
        store, asked = self._stores.pop(path), request.url
        request.url = asked.update_query(_NOTHING | {"resourceVersion": str(store.version)})
        response = await handler(request)
        if response.ok:
            store.undelivered.list_ended()
            return response
        response.release()  # 410: the version has been compacted since
        request.url = asked
        return await handler(request)

    def _first_list(self, request: aiohttp.ClientRequest) -> str | None:
        if request.method != "GET" or "watch" in request.url.query:
            return None
        return next((path for path in self._stores if request.url.path.endswith(path)), None)
