"""``python -m image.sbom FILE``: a bill of materials of the image's Python packages, as CycloneDX JSON.

It is made from the lock of the runtime, so it lists what is installed and with which hashes, and nothing of the
developers' tools. What the base image holds is told by a scanner of images: the base can be exchanged.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from image.errors import ImageError
from image.wheels import LOCK

ROOT = Path(__file__).resolve().parents[1]
#: cyclonedx-bom with all that it needs; it stands apart from the developers' lock, which pins other versions of some.
_TOOL_LOCK = ROOT / "requirements-sbom.lock"
_TOOLS = ROOT / "build" / "sbom-tools"
_SECONDS = 600
_SPEC_VERSION = "1.6"


def write(target: Path, epoch: int | None = None) -> None:
    """Write it; ``epoch`` is its time in seconds since 1970, none for none. Raises ImageError."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    environment.pop("SOURCE_DATE_EPOCH", None)
    if epoch is not None:
        environment["SOURCE_DATE_EPOCH"] = str(epoch)
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(_tool()), "requirements", str(ROOT / LOCK), f"--pyproject={ROOT / 'pyproject.toml'}"),
        *("--output-reproducible", f"--spec-version={_SPEC_VERSION}", f"--output-file={target}"),
    ]
    _run(command, environment)
    target.write_text(json.dumps(_described(json.loads(target.read_text())), indent=2) + "\n")


def _described(bom: dict[str, object]) -> dict[str, object]:
    """Without the lines of the lock, with all hashes of a package in each, which stand as hashes already."""
    components = bom["components"]
    assert isinstance(components, list)
    for component in components:
        component.pop("description", None)
    return bom


def _tool() -> Path:
    program = _TOOLS / "bin" / "cyclonedx-py"
    stamp = _TOOLS / "lock"
    if not stamp.is_file() or stamp.read_bytes() != _TOOL_LOCK.read_bytes():
        venv.create(_TOOLS, clear=True, with_pip=True)
        pip = [str(_TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", f"--requirement={_TOOL_LOCK}"], {**os.environ})
        stamp.write_bytes(_TOOL_LOCK.read_bytes())
    return program


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise ImageError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-1000:]}")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m image.sbom", description=__doc__)
    parser.add_argument("file", type=Path, help="the file to write")
    args = parser.parse_args(argv)
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        write(args.file, int(epoch) if epoch else None)
    except (ImageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Wrote {args.file}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
