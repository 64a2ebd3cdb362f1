"""Ends a cluster's processes when the Python process that started them is gone, however it ended.

Run as a script, with a pipe as its standard input: it leads the process group that the cluster's programs join. When
the pipe ends, because the starting process closed it or died (also by SIGKILL), the whole group is killed and
the folder named on the command line, if any, is removed. If ``release`` was written first, it only ends itself.
Unlike Linux's parent-death signal it works on every Unix, and does not depend on which thread started a program.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

RELEASE = b"release"


def main(folder: str | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == RELEASE:
        return
    group = os.getpgrp()
    if os.fork() == 0:
        os.setpgid(0, 0)  # out of the group that it is about to kill
        _end(group, folder)


def _end(group: int, folder: str | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
        for _ in range(100):  # as long as any member is there
            time.sleep(0.02)
            os.killpg(group, 0)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
