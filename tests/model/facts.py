"""What the model knows of each object: who desires what, and what the operator has agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apiclients.resources.refs import NamespacedName
from tests.model.histories import PutApi, PutApproval, PutClient, PutContract, PutHold


@dataclass
class Client:
    spec: PutClient
    number: int
    #: How often spec was changed, and which of these desires the operator has looked at last.
    generation: int = 1
    considered: int = 0
    desired: str | None = None
    retired: datetime | None = None
    destroyed: bool = False
    secret: datetime | None = None
    observed: str = "Pending"
    #: Tokens of an earlier life are dead for good.
    life: int = 0


@dataclass
class Api:
    spec: PutApi
    number: int
    desired: str | None = None
    retired: datetime | None = None
    final: bool = False


@dataclass(frozen=True)
class Granted:
    """What the operator has let into force."""

    plan: str
    client: tuple[str, int]
    api: tuple[NamespacedName, int]
    by_approval: bool


@dataclass
class Contract:
    spec: PutContract
    number: int
    status: str = "Pending"
    reason: str = ""
    granted: Granted | None = None


@dataclass
class Approval:
    spec: PutApproval
    #: Number of the contract that it speaks of.
    bound: int | None = None
    #: Between whom that contract was in force last, by their numbers.
    parties: tuple[int, int] | None = None
    #: It is to be bound anew.
    edited: bool = True


@dataclass
class Hold:
    spec: PutHold
    placed: datetime


@dataclass(frozen=True)
class Token:
    client: int
    life: int
    issued: datetime
