"""``python -m image``: build the image, as ``make image`` does."""

import argparse
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from apiclients import __version__
from image.builders import Build, find_builder, run
from image.errors import ImageError
from image.wheels import download

ROOT = Path(__file__).resolve().parents[1]
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def main(arguments: list[str] | None = None) -> int:
    """Build; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        builder = find_builder(args.builder)
        print(f"Building {args.tag} with {builder}.", file=sys.stderr)
        download(ROOT, args.python, args.architecture)
        run(builder, _build(args), ROOT)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Built {args.tag}.", file=sys.stderr)
    return 0


def _build(args: argparse.Namespace) -> Build:
    given = {"BASE": args.base, "RUNTIME": args.runtime}
    return Build(
        tag=args.tag,
        epoch=int(_git("log", "-1", "--format=%ct") or 0),
        arguments={
            "VERSION": __version__,
            "REVISION": _git("rev-parse", "HEAD") or "unknown",
            **{name: value for name, value in given.items() if value},
        },
        platform=f"linux/{args.architecture}",
        flags=shlex.split(args.flags),
    )


def _git(*arguments: str) -> str:
    """What Git prints; nothing where this is no repository, as in a source archive, or where there is no Git."""
    command = ("git", *arguments)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m image", description="Build the container image of both programs.")
    parser.add_argument("--tag", default=f"apiclient-operator:{__version__}", help="its name (default: %(default)s)")
    parser.add_argument("--builder", metavar="NAME", help="docker, podman or buildah (default: the first that works)")
    parser.add_argument("--base", metavar="IMAGE", help="the image to build in: with pip, and the runtime's Python")
    parser.add_argument("--runtime", metavar="IMAGE", help="the image to run in: with Python (default: the base)")
    parser.add_argument("--python", default="3.13", metavar="X.Y", help="Python of both (default: %(default)s)")
    machine = platform.machine()
    parser.add_argument(
        "--architecture",
        default=_ARCHITECTURES.get(machine, machine),
        help="amd64 or arm64 (default: this machine's, %(default)s)",
    )
    parser.add_argument("--flags", default="", metavar="TEXT", help="more options for the builder, as one text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
