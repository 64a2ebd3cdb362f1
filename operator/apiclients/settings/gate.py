"""Settings of the gate."""

import re
import socket
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from apiclients.lifecycle.budget import NAMESPACE_BUDGET
from apiclients.lifecycle.keys import MAX_GATE_STALENESS
from apiclients.resources.fields import NAME_PATTERN, Name
from apiclients.settings.common import ALL_ADDRESSES, CommonSettings, Host, IssuerUrl, Port

_SHORTEST_INTERVAL = 0.001
_LONGEST_STALENESS = MAX_GATE_STALENESS.total_seconds()


def _own_name() -> str:
    """The host's name (in a pod, the pod's) as Kubernetes takes names."""
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip("-.") or "apiclient-gate"


class GateSettings(CommonSettings):
    """Everything that can be set for one gate process."""

    model_config = SettingsConfigDict(env_prefix="APICLIENT_GATE_")
    program: ClassVar[str] = "apiclient-gate"
    purpose: ClassVar[str] = "Issues access tokens and checks them for gateways."

    issuer: IssuerUrl = Field(description="URL of this issuer, as clients and gateways know it")
    namespace: Name = Field("apiclients-system", description="namespace of the gate", examples=["apiclients-system"])
    host: Host = Field(None, description=f"address to listen on; {ALL_ADDRESSES}", examples=["127.0.0.1"])
    port: Port = Field(8080, description="port to listen on; 0 takes any free one", examples=["8080"])
    metrics_port: Port | None = Field(
        None,
        description="port for `/metrics`, `/healthz`, `/readyz`, in plain HTTP; the other port then has none of them",
        examples=["8082"],
    )
    tls_cert: Path | None = Field(
        None, description="certificate chain, PEM; read again when it changes", examples=["/tls/tls.crt"]
    )
    tls_key: Path | None = Field(None, description="private key of the certificate, PEM", examples=["/tls/tls.key"])
    keys_namespace: Name | None = Field(
        None, description="namespace of the keys Secret; by default that of the gate", examples=["apiclients-system"]
    )
    proof_interval: float = Field(
        2.0,
        ge=_SHORTEST_INTERVAL,
        le=_LONGEST_STALENESS / 2,
        allow_inf_nan=False,
        description="seconds between freshness proofs",
        examples=["2"],
    )
    max_staleness: float = Field(
        10.0,
        ge=2 * _SHORTEST_INTERVAL,
        le=_LONGEST_STALENESS,
        allow_inf_nan=False,
        description="seconds without a proof after which nothing is decided; at least twice --proof-interval",
        examples=["10"],
    )
    verify_rate: float = Field(
        20.0,
        ge=0,
        le=1000,
        allow_inf_nan=False,
        description="objects in use that are read again from etcd, at most, a second; 0: none",
        examples=["20"],
    )
    relist_interval: float = Field(
        600.0,
        ge=0.1,
        le=3600,
        allow_inf_nan=False,
        description="seconds between full lists, less up to a fifth of it at random",
        examples=["600"],
    )
    namespace_budget: int = Field(
        NAMESPACE_BUDGET,
        ge=1,
        le=1_000_000,
        description="how many holds and clients that are not Available a namespace may have before all of its clients "
        "are refused",
        examples=["2000"],
    )
    fail_static: bool = Field(
        False,
        description="keep deciding from the last known state however old it is; not while the clock is wrong",
        examples=["true"],
    )
    lease_namespace: Name | None = Field(
        None,
        description="namespace of this replica's Lease; by default that of the gate",
        examples=["apiclients-system"],
    )
    lease_interval: float = Field(
        5.0,
        ge=0.1,
        le=300,
        allow_inf_nan=False,
        description="seconds between renewals of the Lease",
        examples=["5"],
    )
    usage_interval: float = Field(
        600.0,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        description="seconds between reports of which clients were used",
        examples=["600"],
    )
    replica_name: str = Field(
        default_factory=_own_name,
        min_length=1,
        max_length=230,
        pattern=NAME_PATTERN,
        description="name of this replica, and so of its Lease; by default the host's name",
        examples=["apiclient-gate-0"],
    )

    @property
    def keys_home(self) -> str:
        """The namespace of the keys Secret."""
        return self.keys_namespace or self.namespace

    @property
    def lease_home(self) -> str:
        """The namespace of this replica's Lease."""
        return self.lease_namespace or self.namespace

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError(
                f"{self.option('tls_cert')} and {self.option('tls_key')} belong together: set both or none"
            )
        if self.metrics_port and self.metrics_port == self.port:
            raise ValueError(
                f"{self.option('metrics_port')} is that of {self.option('port')}: choose another, or set none to have "
                "everything on one"
            )
        if self.max_staleness < 2 * self.proof_interval:
            raise ValueError(
                f"{self.option('max_staleness')} is {self.max_staleness:g} and must be at least twice "
                f"{self.option('proof_interval')}, which is {self.proof_interval:g}, or one late answer stops "
                "everything; use e.g. 10 and 2"
            )
        return self
