"""Fetching the keys of one TokenIssuer, from wherever its spec says; what went wrong is said and never raised."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from apiclients.controllers.https import FetchError, fetch
from apiclients.kube.client import KubeClient
from apiclients.kube.errors import KubeError, NotFoundError
from apiclients.kube.objects import CONFIG_MAPS
from apiclients.lifecycle.issuers import Fetched, FetchedKeys, FetchFailed, keys_source
from apiclients.lifecycle.jwks import DocumentError, read_jwks, read_metadata
from apiclients.resources.objects import TokenIssuer
from apiclients.resources.tokenissuer import ConfigMapKey, PublicKey, TokenIssuerSpec

#: Where an API server publishes by which keys it signs tokens of service accounts.
_CLUSTER_METADATA = "/.well-known/openid-configuration"
_CLUSTER_JWKS = "/openid/v1/jwks"


class _SourceError(Exception):
    """Why there are no keys: a sentence."""


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """Where keys of issuers are found. ConfigMaps are read in ``namespace``, the operator's own, and nowhere else."""

    kube: KubeClient
    namespace: str
    clock: Callable[[], datetime]
    #: Also from addresses of this machine and its link: for demonstrations and tests.
    allow_local: bool = False

    async def fetch(self, issuer: TokenIssuer) -> Fetched:
        """What one try comes to."""
        source = keys_source(issuer.spec)
        try:
            found, keys = await self._find(issuer.spec)
        except _SourceError as error:
            return FetchFailed(source, str(error))
        return FetchedKeys(source, found, keys, self.clock())

    async def _find(self, spec: TokenIssuerSpec) -> tuple[str | None, tuple[PublicKey, ...]]:
        """The issuer, if its source names it, and its keys. Raises _SourceError."""
        places = spec.keys
        if places.discovery_url is not None:
            return await self._discover(spec, places.discovery_url)
        if places.jwks_url is not None:
            return None, _keys(places.jwks_url, await self._get(spec, places.jwks_url, places.jwks_url))
        if places.config_map is not None:
            named = f"ConfigMap {places.config_map.name}, key {places.config_map.key},"
            return None, _keys(named, (await self._config_map(places.config_map)).encode())
        return await self._of_cluster()

    async def _discover(self, spec: TokenIssuerSpec, url: str) -> tuple[str, tuple[PublicKey, ...]]:
        """Keys by way of metadata. Metadata of another issuer lead nowhere: its keys are not looked for."""
        issuer, place = _metadata(url, await self._get(spec, url, url))
        if issuer != spec.issuer:
            raise _SourceError(f"The metadata at {url} are of another issuer than spec.issuer")
        named = f"The place of the keys (jwks_uri) that {url} names"
        return issuer, _keys(named, await self._get(spec, place, named))

    async def _of_cluster(self) -> tuple[str, tuple[PublicKey, ...]]:
        issuer, _ = _metadata("The API server", await self._from_api_server(_CLUSTER_METADATA))
        return issuer, _keys("The JWKS of the API server", await self._from_api_server(_CLUSTER_JWKS))

    async def _get(self, spec: TokenIssuerSpec, url: str, named: str) -> bytes:
        authority = spec.certificate_authority
        authorities = await self._config_map(authority.config_map) if authority is not None else None
        try:
            return await fetch(url, authorities, allow_local=self.allow_local)
        except FetchError as error:
            raise _SourceError(f"{named} {error}") from None

    async def _config_map(self, place: ConfigMapKey) -> str:
        try:
            found = await self.kube.get(CONFIG_MAPS, self.namespace, place.name)
        except NotFoundError:
            raise _SourceError(f"There is no ConfigMap {place.name} in namespace {self.namespace}") from None
        except KubeError:
            raise _SourceError(f"ConfigMap {place.name} in namespace {self.namespace} cannot be read") from None
        text = (found.get("data") or {}).get(place.key)
        if not isinstance(text, str):
            raise _SourceError(f"ConfigMap {place.name} in namespace {self.namespace} has no key {place.key}")
        return text

    async def _from_api_server(self, path: str) -> bytes:
        try:
            return await self.kube.get_document(path)
        except KubeError:
            raise _SourceError(f"The API server does not tell its issuer and keys at {path}") from None


def _keys(named: str, body: bytes) -> tuple[PublicKey, ...]:
    try:
        return read_jwks(body)
    except DocumentError as error:
        raise _SourceError(f"{named} {error}") from None


def _metadata(named: str, body: bytes) -> tuple[str, str]:
    try:
        return read_metadata(body)
    except DocumentError as error:
        raise _SourceError(f"{named}: the metadata {error}") from None
