"""Settings of the operator."""

import os
import re
import socket
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from apiclients.lifecycle.keys import (
    MAX_PUBLICATION,
    MAX_SIGNING_KEY_LIFETIME,
    MIN_PUBLICATION,
    MIN_SIGNING_KEY_LIFETIME,
    KeyPolicy,
)
from apiclients.lifecycle.template import DEFAULT_TEMPLATE_KEYS, TemplateKeys
from apiclients.lifecycle.timing import MIN_LIFETIME
from apiclients.resources.fields import Name
from apiclients.resources.keys import Algorithm
from apiclients.settings.common import ALL_ADDRESSES, CommonSettings, Host, IssuerUrl, Port

_KEY_PATTERN = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._/-]*\*?")


def _check_key(text: str) -> str:
    if not _KEY_PATTERN.fullmatch(text):
        raise ValueError("is not the key of a label or annotation, or the beginning of one with * at the end")
    return text


TemplateKey = Annotated[str, AfterValidator(_check_key)]


def _own_identity() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _names(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class OperatorSettings(CommonSettings):
    """Everything that can be set for one operator process."""

    model_config = SettingsConfigDict(env_prefix="APICLIENT_OPERATOR_")
    program: ClassVar[str] = "apiclient-operator"
    purpose: ClassVar[str] = "Reconciles ApiClients: issues and rotates their Secrets, writes their status."

    issuer: IssuerUrl = Field(description="URL of the token gate as clients reach it")
    namespace: Name = Field(
        "apiclients-system", description="namespace of the keys Secret and the Lease", examples=["apiclients-system"]
    )
    secret_namespaces: Annotated[tuple[Name, ...], NoDecode, BeforeValidator(_names)] = Field(
        (),
        description="namespaces where the operator may have Secrets, separated by commas; by default everywhere",
        examples=["team-a,team-b"],
    )
    secret_template_keys: Annotated[tuple[TemplateKey, ...], NoDecode, BeforeValidator(_names)] = Field(
        DEFAULT_TEMPLATE_KEYS.patterns,
        description="labels and annotations that spec.secret.template may set, separated by commas; with * at the end "
        "all that begin so, and * for any",
        examples=["team,example.com/*"],
    )
    min_lifetime_seconds: int = Field(
        int(MIN_LIFETIME.total_seconds()),
        ge=1,
        le=86_400,
        description="how long secrets and tokens have to live at least; a shorter lifetime in a spec is "
        "Stalled/InvalidSpec. Lower it for demonstrations and tests only: each rotation is two writes",
        examples=["60"],
    )
    signing_algorithm: Algorithm = Field(
        Algorithm.ES256, description="signature algorithm of access tokens", examples=["ES256"]
    )
    signing_key_days: int = Field(
        90,
        ge=MIN_SIGNING_KEY_LIFETIME.days,
        le=MAX_SIGNING_KEY_LIFETIME.days,
        description="age in days at which a signing key is renewed",
        examples=["90"],
    )
    publication_seconds: int = Field(
        600,
        ge=int(MIN_PUBLICATION.total_seconds()),
        le=int(MAX_PUBLICATION.total_seconds()),
        description="how long a new signing key is published before it signs: at least what verifiers cache a JWKS "
        "for, plus the gate's --max-staleness",
        examples=["600"],
    )
    allow_local_issuers: bool = Field(
        False,
        description="fetch keys of TokenIssuers also from loopback and link-local addresses: for demonstrations and "
        "tests",
        examples=["true"],
    )
    rekey: bool = Field(
        False,
        description="make new keys although clients hold credentials: after the keys Secret is lost for good",
        examples=["true"],
    )
    http_host: Host = Field(
        None,
        description=f"address where /healthz, /readyz and /metrics are served; {ALL_ADDRESSES}",
        examples=["127.0.0.1"],
    )
    http_port: Port = Field(8081, description="their port; 0 takes any free one", examples=["8081"])
    no_leader_election: bool = Field(False, description="do not take the Lease: for debugging alone", examples=["true"])
    identity: str = Field(
        default_factory=_own_identity,
        min_length=1,
        max_length=253,
        description="name of this replica in the Lease; by default the host's name and the process id",
        examples=["apiclient-operator-0"],
    )
    scrub_rate: float = Field(
        10.0,
        ge=0.1,
        le=100,
        description="objects a second that are read again from etcd, one after the other: what the API server's watch "
        "cache has lost is found so",
        examples=["20"],
    )
    workers: int = Field(24, ge=1, le=256, description="reconciles at the same time", examples=["24"])

    @property
    def template_keys(self) -> TemplateKeys:
        """What ``spec.secret.template`` may set."""
        return TemplateKeys(self.secret_template_keys)

    @property
    def min_lifetime(self) -> timedelta:
        """How long secrets and tokens have to live at least."""
        return timedelta(seconds=self.min_lifetime_seconds)

    @property
    def keys(self) -> KeyPolicy:
        """How signing keys are renewed."""
        return KeyPolicy(
            algorithm=self.signing_algorithm,
            lifetime=timedelta(days=self.signing_key_days),
            publication=timedelta(seconds=self.publication_seconds),
        )
