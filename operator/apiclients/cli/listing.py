"""Prints lists, in every format that ``-o`` takes."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from apiclients.cli.output import object_list, print_data, title
from apiclients.cli.text import joined, table, write
from apiclients.kube.objects import JsonObject, ResourceType


def print_listing(
    resource: ResourceType,
    objects: Sequence[JsonObject],
    rows: Sequence[Sequence[str]],
    args: argparse.Namespace,
    where: str,
    stream: TextIO,
) -> None:
    """Print objects as a table (``rows``, the header first), as their YAML or JSON, or their names."""
    if args.output in ("json", "yaml"):
        print_data(object_list(objects), args.output)
    elif args.output == "name":
        for obj in objects:
            write(stream, title(resource, obj["metadata"]["name"]))
    elif not objects:
        print(f"Nothing found {where}.", file=sys.stderr)
    else:
        write(stream, joined(table(rows)))


def warn(sentences: Iterable[str], word: str = "warning") -> None:
    """Tell on standard error."""
    for sentence in sentences:
        print(f"{word}: {sentence}", file=sys.stderr)
