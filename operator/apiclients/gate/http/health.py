"""What kubelets and Prometheus ask for: health and metrics, on the port of the tokens or on one of their own."""

from collections.abc import Awaitable, Callable

from apiclients.gate.http.documents import Document, Documents
from apiclients.gate.http.forms import Head
from apiclients.gate.http.replies import (
    NO_STORE,
    NOT_FOUND,
    Headers,
    Receive,
    Reply,
    Scope,
    Send,
    document_reply,
    send_reply,
)
from apiclients.gate.metrics import CONTENT_TYPE
from apiclients.gate.tokens.gate import Gate

_TEXT = (b"content-type", b"text/plain; charset=utf-8")


def health_documents(gate: Gate, render_metrics: Callable[[], Awaitable[bytes]]) -> dict[bytes, Document]:
    """``/healthz``, ``/readyz`` and ``/metrics``."""

    async def healthz() -> Reply:
        """The process lives."""
        return document_reply(200, b"ok\n", _TEXT, NO_STORE)

    async def readyz() -> Reply:
        """The gate decides (rules 17, 25 and 26)."""
        problem = gate.problem()
        if problem is None:
            warning = gate.trouble()
            text = f"ready\nwarning: {warning}\n" if warning else "ready\n"
            return document_reply(200, text.encode(), _TEXT, NO_STORE)
        return document_reply(503, f"not ready: {problem.sentence}\n".encode(), _TEXT, NO_STORE)

    async def metrics() -> Reply:
        """For Prometheus."""
        return document_reply(200, await render_metrics(), (b"content-type", CONTENT_TYPE), NO_STORE)

    return {b"/healthz": healthz, b"/readyz": readyz, b"/metrics": metrics}


class HealthApp:
    """The ASGI application of a port that has health and metrics, and nothing else."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """One request."""
        path: bytes = scope["raw_path"]
        known = path in self._documents
        await send_reply(send, await self._documents.answer(scope["method"], path) if known else NOT_FOUND)

    def immediate(self, path: bytes, headers: Headers) -> Reply | None:  # noqa: ARG002 - as GateApp has it
        """None: no gateway asks here."""
        return None

    def takes_form(self, path: bytes) -> bool:  # noqa: ARG002 - as GateApp has it
        """No: there are no forms here."""
        return False

    def immediate_form(self, head: Head, body: bytes) -> Reply | None:  # noqa: ARG002 - as GateApp has it
        """None, likewise."""
        return None
