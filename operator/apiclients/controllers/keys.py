"""The keys Secret: made once, kept by people's backups, renewed here; what clients hold depends on it (rule 25)."""

import asyncio
import base64
import binascii
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, ConflictError, KubeError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.lifecycle.history import Announcement
from apiclients.lifecycle.keys import KeyPolicy, KeyStep, key_step, renew, renewal_blocked
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.keys import KEY_RING_KEY, MAX_KEYS, Algorithm, KeyRing, Pepper, SigningKey
from apiclients.resources.names import FIELD_MANAGER, KEYS_SECRET_TYPE, MANAGED_BY, MANAGED_BY_LABEL

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0
_CHECK_SECONDS = 300.0
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class StoredRing:
    """A key ring and the Secret, in one version, that it was read from."""

    ring: KeyRing = field(repr=False)
    uid: str
    resource_version: str


def read_key_ring(secret: dict[str, Any]) -> StoredRing:
    """The key ring in the keys Secret. Raises ValueError, without quoting what is in it."""
    try:
        text = base64.b64decode((secret.get("data") or {})[KEY_RING_KEY], validate=True)
        return StoredRing(
            KeyRing.model_validate_json(text), secret["metadata"]["uid"], secret["metadata"]["resourceVersion"]
        )
    except (KeyError, binascii.Error, ValidationError):
        raise ValueError(f"the keys Secret holds no readable {KEY_RING_KEY}") from None


class KeysUnavailableError(RuntimeError):
    """The keys are not there yet; the message says what to do."""


class KeyHolder:
    """Holds the key ring and keeps the keys Secret as it should be."""

    def __init__(
        self,
        kube: KubeClient,
        namespace: str,
        name: str,
        *,
        policy: KeyPolicy,
        rekey: bool,
        clock: Callable[[], datetime],
        on_change: Callable[[], None],
        announce: Callable[[Announcement], None],
    ) -> None:
        """``on_change`` hears that peppers are others, on which digests depend; signing keys concern gates alone.

        ``announce`` tells people, as an Event, of keys that are lost, found again, or have no room."""
        self._kube, self._namespace, self._name = kube, namespace, name
        self._policy, self._rekey, self._clock, self._on_change = policy, rekey, clock, on_change
        self._announce = announce
        self._lost = False
        self._stored: StoredRing | None = None
        #: A signing key is due and the ring has no room for it.
        self.full = False
        self._wake = asyncio.Event()
        self._available = asyncio.Event()
        #: Why there are no keys, for /readyz; None when all is well.
        self.problem: str | None = f"Secret {namespace}/{name} has not been read yet"
        self.reflector: Reflector[StoredRing] = Reflector(
            kube,
            SECRETS,
            read_key_ring,
            namespace=namespace,
            field_selector=f"metadata.name={name}",
            relist_interval=600,
            on_change=self._changed,
        )

    @property
    def ring(self) -> KeyRing:
        """The key ring. Raises :class:`KeysUnavailableError`."""
        if self._stored is None:
            raise KeysUnavailableError(self.problem)
        return self._stored.ring

    async def available(self) -> None:
        """Wait until there is a key ring."""
        await self._available.wait()

    async def run(self) -> None:
        """Make, watch and renew the keys until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.reflector.run())
            await self.reflector.synced.wait()
            while True:
                self._wake.clear()
                seconds = await self._keep()
                try:
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def _changed(self, change: Change[StoredRing]) -> None:
        if change.new is not None:
            self._found()
            changed = self._stored is None or self._stored.ring.peppers != change.new.ring.peppers
            self._stored, self.problem = change.new, None
            self._available.set()
            if changed:
                self._on_change()
        self._wake.set()

    def _found(self) -> None:
        if self._lost:
            self._lost = False
            note = "The keys Secret can be read again: keys are renewed, and the operator is ready."
            logger.info(note)
            self._announce(Announcement(False, "KeysFound", "ReadKeys", note))

    def _report_lost(self) -> None:
        self.problem = (
            f"Secret {self._namespace}/{self._name} is missing or unreadable while clients hold credentials "
            "that depend on it: restore it from a backup, or start the operator once with --rekey "
            "(all access tokens die, secrets stay)"
        )
        logger.error(self.problem)
        if not self._lost:
            self._lost = True
            self._announce(Announcement(True, "KeysLost", "ReadKeys", f"{self.problem}."))

    def _note_room(self, stored: StoredRing | None) -> None:
        """Say it once when a signing key is due and has no room; the newest one goes on signing."""
        full = stored is not None and renewal_blocked(stored.ring, self._clock(), self._policy)
        if full and not self.full:
            note = (
                f"A new signing key is due, and the key ring is full with {MAX_KEYS}: the newest key signs on until "
                "the last token of an older one has died. Do not change --signing-algorithm to and fro."
            )
            logger.warning(note)
            self._announce(Announcement(True, "KeyRingFull", "RenewKeys", note))
        self.full = full

    async def _keep(self) -> float:
        """Do what the keys need now; returns the seconds until the next look."""
        stored = self.reflector.store.get((self._namespace, self._name))
        try:
            step = key_step(
                stored.ring if stored else None,
                credentials_exist=stored is None and await self._credentials_exist(),
                rekey=self._rekey,
                now=self._clock(),
                policy=self._policy,
            )
            self._note_room(stored)
            await self._do(step, stored)
        except KubeError as error:
            self.problem = f"The keys Secret {self._namespace}/{self._name} cannot be kept: {error}"
            logger.warning(self.problem)
            return _RETRY_SECONDS
        return _CHECK_SECONDS if step is KeyStep.KEEP else _RETRY_SECONDS

    async def _do(self, step: KeyStep, stored: StoredRing | None) -> None:
        if step is KeyStep.KEEP:
            self.problem = None
        elif step is KeyStep.LOST:
            self._report_lost()
        elif not self._kube.clock.trusted():
            self.problem = "The clock disagrees with the API server's: no keys are made or renewed"
            logger.error(self.problem)
        elif step is KeyStep.CREATE:
            await self._create()
        elif step is KeyStep.RENEW and stored is not None:
            await self._renew(stored)

    async def _credentials_exist(self) -> bool:
        """Whether any client holds credentials. Asks the API server: this decides about everybody's secrets."""
        async for page in self._kube.pages(API_CLIENTS):
            if any((item.get("status") or {}).get("credentials") for item in page.items):
                return True
        return False

    async def _create(self) -> None:
        now = whole_second(self._clock())
        ring = KeyRing(
            signing_keys=(new_signing_key(self._policy.algorithm, now, now),),
            peppers=(Pepper(id=f"p{secrets.token_hex(4)}", key=secrets.token_urlsafe(32), created_time=now),),
        )
        try:
            created = await self._kube.create(SECRETS, self._namespace, self._secret(ring), field_manager=FIELD_MANAGER)
        except AlreadyExistsError:
            if await self.reflector.refresh(self._namespace, self._name) is None:
                self.problem = f"Secret {self._namespace}/{self._name} exists but cannot be read: restore or delete it"
                logger.warning(self.problem)
            return
        logger.info("Keys were made", extra={"secret": f"{self._namespace}/{self._name}"})
        self.reflector.put(created)

    async def _renew(self, stored: StoredRing) -> None:
        now = whole_second(self._clock())
        ring = renew(stored.ring, now, self._policy, partial(new_signing_key, self._policy.algorithm))
        body = self._secret(ring)
        body["metadata"] |= {"resourceVersion": stored.resource_version, "uid": stored.uid}
        try:
            applied = await self._kube.apply(SECRETS, self._namespace, self._name, body, field_manager=FIELD_MANAGER)
        except ConflictError:
            await self.reflector.refresh(self._namespace, self._name)
            return
        logger.info("Signing keys were renewed", extra={"keys": len(ring.signing_keys)})
        self.reflector.put(applied)

    def _secret(self, ring: KeyRing) -> dict[str, Any]:
        text = ring.model_dump_json(by_alias=True)
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": KEYS_SECRET_TYPE,
            "metadata": {
                "namespace": self._namespace,
                "name": self._name,
                "labels": {MANAGED_BY_LABEL: MANAGED_BY},
            },
            "data": {KEY_RING_KEY: base64.b64encode(text.encode()).decode()},
        }


def new_signing_key(algorithm: Algorithm, now: datetime, active: datetime) -> SigningKey:
    """A new private key from the operating system's entropy."""
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm is Algorithm.ES256:
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(
        kid=f"k{secrets.token_hex(4)}",
        algorithm=algorithm,
        private_key=pem.decode(),
        created_time=now,
        active_from=active,
        low_s=True,
    )
