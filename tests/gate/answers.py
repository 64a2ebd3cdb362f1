"""What an answer of the token endpoint says."""

from __future__ import annotations

from typing import Any

from tests.gate.support import World


def issued_for(world: World, body: dict[str, Any]) -> Any:
    """The audience and the scope of the token in it."""
    assert world.keys.verifier is not None
    verified = world.keys.verifier.verify(body["access_token"].encode())
    assert verified.scope == body.get("scope", "")
    return verified.audience, verified.scope
