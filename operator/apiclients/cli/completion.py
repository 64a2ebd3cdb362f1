"""``kubectl_complete-apiclient``: the words that may stand next on the command line, one per line.

kubectl calls it with the words typed so far, the last one unfinished and possibly empty. Names come from the cluster,
if it answers soon; whatever goes wrong, nothing is offered and nothing is said.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, suppress
from typing import Any

from apiclients.cli import options
from apiclients.cli.main import COMMANDS, build_parser, command_first, option_takes_value

#: Ends the list: no file names beside it (cobra's ShellCompDirectiveNoFileComp).
_DIRECTIVE = ":4"
_FILES_DIRECTIVE = ":0"
_SECONDS = 5.0


def main() -> None:
    """The console script ``kubectl_complete-apiclient``."""
    candidates: list[str] = []
    directive = _DIRECTIVE
    with suppress(Exception, SystemExit), open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        candidates, directive = complete(sys.argv[1:])
    for candidate in candidates:
        print(candidate)
    print(directive)


def complete(words: Sequence[str]) -> tuple[list[str], str]:
    """The candidates for the last word, and the directive for the shell."""
    if not words:
        return list(COMMANDS), _DIRECTIVE
    *before, partial = words
    command = _command(before)
    if command is None:
        return _command_candidates(before, partial)
    parser = _subparser(command)
    action = _open_option(parser, before)
    if action is not None:
        return _values(action, partial, before)
    if partial.startswith("--") and "=" in partial:
        name, _, rest = partial.partition("=")
        action = parser._option_string_actions.get(name)
        found, directive = _values(action, rest, before) if action is not None else ([], _DIRECTIVE)
        return [f"{name}={value}" for value in found], directive
    if partial.startswith("-"):
        known = (text for action in parser._actions for text in action.option_strings if text.startswith("--"))
        return _starting(known, partial), _DIRECTIVE
    return _positional(parser, before, partial)


def _command(before: Sequence[str]) -> str | None:
    words = command_first(list(before))
    return words[0] if words and words[0] in COMMANDS else None


def _command_candidates(before: Sequence[str], partial: str) -> tuple[list[str], str]:
    if before and option_takes_value(before[-1]):
        parser = options.common()
        return _values(parser._option_string_actions[before[-1]], partial, before)
    return _starting([*COMMANDS, "--help", "--version"], partial), _DIRECTIVE


def _subparser(command: str) -> argparse.ArgumentParser:
    parser = build_parser(command)
    action = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    found: argparse.ArgumentParser = action.choices[command]
    return found


def _open_option(parser: argparse.ArgumentParser, before: Sequence[str]) -> argparse.Action | None:
    """The option that the last finished word is, if a value has to follow."""
    action = parser._option_string_actions.get(before[-1]) if before else None
    return action if action is not None and action.nargs is None and action.const is None else None


def _values(action: argparse.Action, partial: str, before: Sequence[str]) -> tuple[list[str], str]:
    if action.choices is not None:
        return _starting([str(choice) for choice in action.choices], partial), _DIRECTIVE
    if action.metavar in ("FILE", "PATH", "DIR"):
        return [], _FILES_DIRECTIVE
    if action.metavar in (options.BASE, options.HEAD):
        return _starting(_revisions(), partial), _FILES_DIRECTIVE
    if action.metavar == options.STATUS:
        return _starting(_statuses(), partial), _DIRECTIVE
    if action.metavar == options.CONTEXT:
        return _starting(_contexts(_given(before)), partial), _DIRECTIVE
    return _starting(_from_cluster(str(action.metavar), _given(before)), partial), _DIRECTIVE


def _positional(parser: argparse.ArgumentParser, before: Sequence[str], partial: str) -> tuple[list[str], str]:
    places = [one for one in parser._actions if not one.option_strings]
    given = _words(parser, command_first(list(before))[1:])
    if not places:
        return [], _DIRECTIVE
    many = places[-1].nargs in ("*", "+")
    if len(given) >= len(places) and not many:
        return [], _DIRECTIVE
    place = places[min(len(given), len(places) - 1)]
    found = _starting(_from_cluster(str(place.metavar), _given(before)), partial)
    return [name for name in found if name not in given], _DIRECTIVE


def _words(parser: argparse.ArgumentParser, rest: Sequence[str]) -> list[str]:
    """The finished words that are neither options nor their values."""
    found: list[str] = []
    skip = False
    for word in rest:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = "=" not in word and _open_option(parser, [word]) is not None
        else:
            found.append(word)
    return found


def _given(before: Sequence[str]) -> argparse.Namespace:
    """The options that say where to look, as far as they have been typed."""
    connection = options.common()
    connection.add_argument("-A", "--all-namespaces", action="store_true")
    finished = before[:-1] if _open_option(connection, before) is not None else before
    args, _ = connection.parse_known_args(list(finished))
    return args


def _starting(candidates: Iterable[str], partial: str) -> list[str]:
    return sorted({one for one in candidates if one.startswith(partial)})


def _contexts(args: argparse.Namespace) -> list[str]:
    from apiclients.kube.kubeconfig import files, read

    return list(read(files(args.kubeconfig)).contexts)


def _statuses() -> list[str]:
    from apiclients.lifecycle.effective import Effective

    return list(Effective)


def _revisions() -> list[str]:
    """Branches and tags; where none begins like this, the shell offers files."""
    from apiclients.cli.git.revisions import names

    return names()


def _from_cluster(what: str, args: argparse.Namespace) -> list[str]:
    if what not in (options.CLIENT, options.HOLD, options.API, options.NAMESPACE, options.CONTRACT):
        return []

    async def soon() -> list[str]:
        async with asyncio.timeout(_SECONDS):
            return await _names(what, args)

    return asyncio.run(soon())


async def _names(what: str, args: Any) -> list[str]:
    from apiclients.cli.cluster.connection import connect
    from apiclients.kube.kinds import API_CLIENT_HOLDS, API_CLIENTS, APIS
    from apiclients.kube.objects import NAMESPACES

    if what == options.CONTRACT:
        return await _waiting(args)
    resource = {options.CLIENT: API_CLIENTS, options.HOLD: API_CLIENT_HOLDS, options.API: APIS}.get(what, NAMESPACES)
    everywhere = what in (options.API, options.NAMESPACE) or args.all_namespaces
    async with connect(args) as session:
        found = await session.objects(resource, None if everywhere else session.namespace, metadata_only=True)
    if what == options.API:
        return [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in found]
    return [obj["metadata"]["name"] for obj in found]


async def _waiting(args: Any) -> list[str]:
    """The contracts that wait for the Apis of the namespace."""
    from apiclients.cli.cluster.connection import connect
    from apiclients.cli.git.approvals import waiting
    from apiclients.kube.kinds import APIS
    from apiclients.resources.objects import Api

    async with connect(args) as session:
        apis = [Api.from_object(obj) for obj in await session.objects(APIS, session.namespace)]
    return [f"{one.namespace}/{one.name}" for one in waiting(apis)]


if __name__ == "__main__":
    main()
