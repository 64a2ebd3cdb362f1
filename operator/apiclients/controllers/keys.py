"""The keys Secret: made once, kept by people's backups, renewed here; what clients hold depends on it (rule 25)."""

import asyncio
import base64
import binascii
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from apiclients.kube.cache import Change, Reflector
from apiclients.kube.client import SECRETS, KubeClient
from apiclients.kube.errors import AlreadyExistsError, ConflictError, KubeError
from apiclients.kube.kinds import API_CLIENTS
from apiclients.lifecycle.keys import KeyPolicy, KeyStep, active_from, key_step, outlived, renewed_due
from apiclients.lifecycle.timing import whole_second
from apiclients.resources.keys import KEY_RING_KEY, Algorithm, KeyRing, Pepper, SigningKey
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
    ) -> None:
        self._kube, self._namespace, self._name = kube, namespace, name
        self._policy, self._rekey, self._clock, self._on_change = policy, rekey, clock, on_change
        self._stored: StoredRing | None = None
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
            changed = self._stored is None or self._stored.ring != change.new.ring
            self._stored, self.problem = change.new, None
            self._available.set()
            if changed:
                self._on_change()
        self._wake.set()

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
            self.problem = (
                f"Secret {self._namespace}/{self._name} is missing or unreadable while clients hold credentials "
                "that depend on it: restore it from a backup, or start the operator once with --rekey "
                "(all access tokens die, secrets stay)"
            )
            logger.error(self.problem)
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
        dead = outlived(stored.ring, now)
        keys = [key for key in stored.ring.signing_keys if key not in dead]
        if renewed_due(stored.ring, now, self._policy):
            keys.append(new_signing_key(self._policy.algorithm, now, active_from(now, self._policy)))
        body = self._secret(stored.ring.model_copy(update={"signing_keys": tuple(keys)}))
        body["metadata"] |= {"resourceVersion": stored.resource_version, "uid": stored.uid}
        try:
            applied = await self._kube.apply(SECRETS, self._namespace, self._name, body, field_manager=FIELD_MANAGER)
        except ConflictError:
            await self.reflector.refresh(self._namespace, self._name)
            return
        logger.info("Signing keys were renewed", extra={"removed": len(dead), "keys": len(keys)})
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
    )
