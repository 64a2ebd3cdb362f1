"""Files that are there whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path

#: Readable by their owner alone.
PRIVATE = 0o600
#: As far as the umask lets others; a file that is there keeps its mode.
SHARED = 0o666


def write_whole(target: Path, data: bytes, mode: int) -> None:
    """Write a file with this mode; PRIVATE also where one was there before. Raises OSError, and leaves nothing behind.

    It is written beside its place and then moved there, so that nobody ever sees half of it, or has it open already.
    """
    named, target = target, target.resolve()
    if target.exists() and (not target.is_file() or named.is_relative_to("/dev")):
        target.write_bytes(data)  # a pipe or a device has no mode of ours
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, _mode(target, mode))
            os.fsync(descriptor)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(target: Path, mode: int) -> int:
    """Nobody gets to read by a second write what the first one kept from them."""
    if mode == SHARED and target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    return mode & ~_umask()


def _umask() -> int:
    value = os.umask(0o077)
    os.umask(value)
    return value
