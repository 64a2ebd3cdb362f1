"""ApiClientHold: the emergency stop that Git's self-heal cannot undo."""

from typing import Annotated

from pydantic import Field

from apiclients.resources.conditions import Condition
from apiclients.resources.fields import LIST_SET, Model, Name, RepeatedTime, Time, list_map
from apiclients.resources.selectors import LabelSelector

MAX_STOPPED_NAMES = 64
#: Holds of one namespace that name no client (expired ones count). With more, the whole namespace is held.
MAX_SELECTING_HOLDS = 100


class ApiClientHoldSpec(Model):
    client_name: Annotated[
        Name | None,
        Field(description="The client to stop. Exactly one of clientName, selector and allClients is needed."),
    ] = None
    selector: Annotated[
        LabelSelector | None,
        Field(description="The clients to stop, by their labels. Whoever can edit labels can leave it: prefer a name."),
    ] = None
    all_clients: Annotated[
        bool | None,
        Field(description="true stops every client of the namespace, also those that come later. false is as unset."),
    ] = None
    reason: Annotated[str, Field(min_length=1, max_length=1024, description="Why, for whoever finds it.")]
    expires_time: Annotated[
        Time | None, Field(description="The hold ends by itself at this time. Unset: it stays until deleted.")
    ] = None


class ApiClientHoldStatus(Model):
    """What the operator observed. The operator alone writes it."""

    observed_generation: Annotated[int, Field(ge=-1, description="The generation that was last observed.")] = -1
    stopped_count: Annotated[int | None, Field(ge=0, description="How many clients it stops.")] = None
    stopped_names: Annotated[
        list[Name], Field(max_length=MAX_STOPPED_NAMES, description="Which ones, capped."), LIST_SET
    ] = Field(default_factory=list)
    repeated_time: RepeatedTime = None
    conditions: Annotated[
        list[Condition],
        Field(max_length=16, description="Conditions; Active tells whether it stops."),
        list_map("type"),
    ] = Field(default_factory=list)
