"""Tokens that somebody else keeps fresh: in a file of their own, or in the kubeconfig."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from apiclients.kube.kubeconfig import LiveChoice
from apiclients.kube.tls import Interval

TokenSource = Callable[[bool], Awaitable[str | None]]
"""Returns the Authorization header; True asks for a fresh one because the API server refused the last."""


def token_file_source(path: Path) -> TokenSource:
    """Credentials in a file. What it returns raises OSError before there was one."""
    value = ""
    interval = Interval()

    async def header(refused: bool) -> str | None:
        nonlocal value
        if interval.due() or refused or not value:
            try:
                value = path.read_text().strip() or value  # noqa: ASYNC240 - a local file of one line
            except OSError:
                if not value:
                    raise
        return f"Bearer {value}"

    return header


def kubeconfig_source(live: LiveChoice) -> TokenSource:
    """The token in a kubeconfig; None where a client certificate stands in its place, or nothing."""
    interval = Interval()

    async def header(refused: bool) -> str | None:
        choice = live.reread() if interval.due() or refused else live.choice
        token = choice.user.content.get("token")
        return f"Bearer {token}" if token else None

    return header
