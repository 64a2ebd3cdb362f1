"""The floor of the gate: a raw ASGI application that answers 200 to everything, on the same uvicorn.

``python -m bench.bare PORT``: uvicorn's own httptools protocol, uvloop, no access log, no more headers than it needs.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]

_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_BODY = {"type": "http.response.body", "body": b""}


async def answer(scope: dict[str, Any], receive: Any, send: Send) -> None:  # noqa: ARG001 - the signature of ASGI
    """200, whatever is asked."""
    await send(_START)
    await send(_BODY)


def main(port: int) -> None:
    """Serve until a signal."""
    uvicorn.run(
        answer,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
