"""The gate's copy of the key ring, kept fresh by a watch of the one keys Secret by name (rules 19 and 25).

A Secret that is deleted or damaged takes nothing back: the last good ring stays in memory, so that a slip does not stop
every client, and is counted and logged. A key is withdrawn by a ring without it, which empties the signature cache.
"""

import base64
import binascii
import logging

from pydantic import ValidationError

from apiclients.gate.state.problems import Problem
from apiclients.gate.tokens.errors import NotReadyError
from apiclients.gate.tokens.signing import DamagedKeysError, LoadedRing, load_ring
from apiclients.gate.tokens.verifier import Verifier
from apiclients.kube.cache import Change
from apiclients.kube.objects import JsonObject
from apiclients.resources.keys import KEY_RING_KEY, KeyRing

logger = logging.getLogger(__name__)


class KeyStore:
    """The last good key ring and its verifier; both None before there was one."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self.ring: LoadedRing | None = None
        self.verifier: Verifier | None = None
        #: Why the keys Secret is not as it should be, or None.
        self.problem: str | None = "the keys Secret has not been read yet"

    @property
    def loaded(self) -> LoadedRing:
        """The ring to sign and digest with. Raises NotReadyError before there was one."""
        if self.ring is None:
            raise NotReadyError(Problem.NO_KEYS)
        return self.ring

    @property
    def warning(self) -> str | None:
        """What is wrong with the keys Secret while the last good keys stay in use; None when nothing is."""
        return f"{self.problem}; {self._consequence()}" if self.problem and self.ring else None

    def read(self, body: JsonObject) -> LoadedRing:
        """The ring in a Secret: ``convert`` of the Reflector. Raises DamagedKeysError, which quotes no key."""
        return load_ring(read_ring(body))

    def note_damage(self, body: JsonObject, error: Exception) -> None:  # noqa: ARG002
        """``on_bad`` of the Reflector: the Secret is there and cannot be used."""
        self.problem = str(error) if isinstance(error, DamagedKeysError) else type(error).__name__
        logger.error("the keys Secret is damaged: %s; %s", self.problem, self._consequence())

    def apply(self, change: Change[LoadedRing]) -> None:
        """Take in what the Reflector says."""
        if change.new is not None:
            self.use(change.new)
        elif not self.problem:
            self.problem = "the keys Secret is gone"
            logger.error("the keys Secret is gone; %s", self._consequence())

    def use(self, loaded: LoadedRing) -> None:
        """Sign and verify with this ring from now on."""
        self.problem = None
        if self.ring is not None and self.ring.ring == loaded.ring:
            return
        self.ring = loaded
        self.verifier = Verifier(self._issuer, loaded.keys)
        logger.info("using the signing keys %s", ", ".join(loaded.keys))

    def _consequence(self) -> str:
        return (
            "the last good keys stay in use until this process ends"
            if self.ring
            else "nothing can be issued or checked"
        )


def read_ring(body: JsonObject) -> KeyRing:
    """The key ring in a Secret's data. Raises DamagedKeysError; never with a value in its message."""
    try:
        raw = base64.b64decode(body["data"][KEY_RING_KEY], validate=True)
        return KeyRing.model_validate_json(raw)
    except ValidationError as error:
        fields = {".".join(str(part) for part in problem["loc"]) for problem in error.errors(include_input=False)}
        raise DamagedKeysError(f"{KEY_RING_KEY} does not fit at {', '.join(sorted(fields)) or 'its top'}") from None
    except (KeyError, TypeError, binascii.Error, ValueError):
        raise DamagedKeysError(f"the Secret has no readable {KEY_RING_KEY}") from None
