"""Everything that may happen to a client, by name, for the tests that try out what nobody thought of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from apiclients.lifecycle.features import Feature
from apiclients.resources.fields import format_time
from tests.lifecycle.world import DAY, HOUR, World, pepper

SECOND = timedelta(seconds=1)
Change = Callable[[World], object]


def _revise(world: World) -> None:
    world.edit(secret__revision=world.spec.get("secret", {}).get("revision", 1) + 1)


def _request(world: World) -> None:
    world.request_rotation(f"token-{len(world.steps)}-{world.now.isoformat()}")


def _forge(world: World) -> None:
    if name := _own_secret(world):
        world.edit_secret(b"forged", name=name)


def _delete_secret(world: World) -> None:
    if name := _own_secret(world):
        del world.secrets[name]


def _strip(world: World) -> None:
    if name := _own_secret(world):
        world.secrets[name]["metadata"]["annotations"] = {}
        world.edit_secret(name=name)


def _freeze(world: World) -> None:
    if name := _own_secret(world):
        world.edit_secret(name=name, immutable=True)


def _own_secret(world: World) -> str | None:
    name = world.client().secret_name
    return name if name in world.secrets else None


def _wish_not_before(world: World) -> None:
    world.edit(tokens__notBefore=format_time(world.now))


def _old_gate(world: World) -> None:
    world.gates_lacking = dict.fromkeys(Feature, ("apiclient-gate-old",))


def _new_gates(world: World) -> None:
    world.gates_lacking = {}


#: What people and Git write into spec.
EDITS: dict[str, Change] = {
    "make available": lambda w: w.desire("Available"),
    "suspend": lambda w: w.desire("Suspended"),
    "retire": lambda w: w.desire("Retired"),
    "change the revision": _revise,
    "request a rotation": _request,
    "rename the Secret": lambda w: w.edit(secret__name="elsewhere"),
    "rename the Secret back": lambda w: w.edit(secret__name=None),
    "no overlap": lambda w: w.edit(secret__overlap="0s"),
    "long overlap": lambda w: w.edit(secret__overlap="240h"),
    "default overlap": lambda w: w.edit(secret__overlap=None),
    "short lifetime": lambda w: w.edit(secret__lifetime="36h"),
    "default lifetime": lambda w: w.edit(secret__lifetime=None),
    "rotate by hand": lambda w: w.edit(secret__rotation="Manual"),
    "rotate by age": lambda w: w.edit(secret__rotation="Automatic"),
    "ask for what cannot be": lambda w: w.edit(secret__renewBefore="9999h"),
    "ask for what can be": lambda w: w.edit(secret__renewBefore=None),
    "another template": lambda w: w.edit(secret__template={"labels": {"tier": "gold"}}),
    "no grace period": lambda w: w.edit(retirement__gracePeriod="0s"),
    "default grace period": lambda w: w.edit(retirement__gracePeriod=None),
    "short tokens": lambda w: w.edit(tokens__lifetime="1h"),
    "long tokens": lambda w: w.edit(tokens__lifetime="72h"),
    "end all tokens now": _wish_not_before,
    "end tokens in the future": lambda w: w.edit(tokens__notBefore="2031-01-01T00:00:00Z"),
    "end no tokens": lambda w: w.edit(tokens__notBefore=None),
    "revoke what is long gone": lambda w: w.edit(secret__notBefore="2020-01-01T00:00:00Z"),
    "revoke no secret": lambda w: w.edit(secret__notBefore=None),
}

#: What happens to the Secret, and to the gates, behind the operator's back.
ACCIDENTS: dict[str, Change] = {
    "forge the Secret": _forge,
    "delete the Secret": _delete_secret,
    "strip the Secret": _strip,
    "freeze the Secret": _freeze,
    "foreign Secret": lambda w: w.put_foreign(w.client().secret_name),
    "another pepper": lambda w: w.peppers.append(pepper(int(w.peppers[-1].id[1:]) + 1)),
    "an old gate comes": _old_gate,
    "the old gate goes": _new_gates,
}

#: What time does.
TIMES: dict[str, Change] = {
    "a moment": lambda w: w.wait(timedelta(seconds=2, milliseconds=300)),
    "an hour": lambda w: w.wait(HOUR),
    "a day": lambda w: w.wait(DAY),
    "twelve days": lambda w: w.wait(12 * DAY),
    "a quarter": lambda w: w.wait(90 * DAY),
}

#: After these a secret that worked may be gone.
LOSING = {
    "delete the Secret", "no overlap", "default overlap", "short lifetime", "ask for what cannot be",
    "ask for what can be", "no grace period", "foreign Secret", "freeze the Secret",
}  # fmt: skip

ALL: dict[str, Change] = EDITS | ACCIDENTS | TIMES


def do(world: World, names: list[str]) -> World:
    for name in names:
        ALL[name](world)
    return world
