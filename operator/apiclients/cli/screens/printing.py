"""Prints lists, in every format that ``-o`` takes."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from apiclients.cli.screens.output import object_list, render_data, title
from apiclients.cli.screens.text import joined, table, write
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
    text = listing_text(resource, objects, rows, args.output)
    if text:
        write(stream, text)
    elif args.output != "name":
        print(nothing_found(where), file=sys.stderr)


def listing_text(
    resource: ResourceType, objects: Sequence[JsonObject], rows: Sequence[Sequence[str]], output: str
) -> str:
    """Objects in the format that was asked for; "" where there is nothing to show."""
    if output in ("json", "yaml"):
        return render_data(object_list(objects), output).rstrip("\n")
    if output == "name":
        return "\n".join(title(resource, obj["metadata"]["name"]) for obj in objects)
    return joined(table(rows)) if objects else ""


def nothing_found(where: str) -> str:
    """What is said instead of an empty table."""
    return f"Nothing found {where}."


def warn(sentences: Iterable[str], word: str = "warning") -> None:
    """Tell on standard error."""
    for sentence in sentences:
        print(f"{word}: {sentence}", file=sys.stderr)
