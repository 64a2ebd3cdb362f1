"""What the operator and the gate have in common: how an option is declared, and the options of both.

Each field is one option. Its name makes the flag (``log_level`` is ``--log-level``) and the environment variable
(``APICLIENT_GATE_LOG_LEVEL``); its first example ends the message about a bad value.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from apiclients.resources.fields import Name, SecretName
from apiclients.settings.issuer import check_issuer, is_unsafe


class LogFormat(StrEnum):
    """How a log record is written."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """The least severe records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def flag(name: str) -> str:
    """The command-line flag of a field."""
    return "--" + name.replace("_", "-")


def _no_service_link(value: object) -> object:
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError("is set by Kubernetes for a Service of that name: set enableServiceLinks: false in the pod")
    return value


IssuerUrl = Annotated[str, AfterValidator(check_issuer), Field(examples=["https://tokens.example.com"])]
Host = Annotated[str, Field(min_length=1)] | None
#: What a Host is by default, for its description.
ALL_ADDRESSES = "by default all of IPv4 and IPv6, `0.0.0.0` for those of IPv4 alone, `::` for those of IPv6 alone"
Port = Annotated[int, Field(ge=0, le=65535), BeforeValidator(_no_service_link)]


class CommonSettings(BaseSettings):
    """The options that both programs have."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, validate_default=True, hide_input_in_errors=True
    )

    #: The program's name and what it does, for its help.
    program: ClassVar[str]
    purpose: ClassVar[str]

    issuer: IssuerUrl = Field(description="URL of the token gate as clients and gateways reach it")
    allow_http_issuer: bool = Field(
        False,
        description="take an http issuer that is no loopback address: secrets can be read on the way to it",
        examples=["true"],
    )
    namespace: Name = Field("apiclients-system", description="namespace of the program", examples=["apiclients-system"])
    keys_secret: SecretName = Field(
        "apiclient-keys", description="name of the keys Secret", examples=["apiclient-keys"]
    )
    kubeconfig: Path | None = Field(
        None,
        description="kubeconfig file; by default the pod's service account, else $KUBECONFIG or ~/.kube/config",
        examples=["/etc/apiclients/kubeconfig"],
    )
    context: str | None = Field(None, min_length=1, description="context of the kubeconfig", examples=["production"])
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] = Field(
        LogFormat.JSON, description="how log records are written", examples=["json"]
    )
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] = Field(
        LogLevel.INFO, description="the least severe log records that are written", examples=["info"]
    )

    @model_validator(mode="after")
    def _issuer_is_safe(self) -> Self:
        if is_unsafe(self.issuer) and not self.allow_http_issuer:
            raise ValueError(
                f"{self.option('issuer')}: {self.issuer!r} must begin with https://, unless it is a loopback address; "
                f"{self.option('allow_http_issuer')} takes it all the same"
            )
        return self

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of a field."""
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @classmethod
    def option(cls, name: str) -> str:
        """A field as people set it, for messages about several: its flag and its variable."""
        return f"{flag(name)} (or {cls.variable(name)})"
