"""How a command ends that is interrupted, or that nobody can hear."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from apiclients.cli.files import PRIVATE, SHARED, write_whole
from apiclients.cli.screens.screen import fitted

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "operator")}

_ASKING = """
import asyncio, sys
from apiclients.cli import main
from apiclients.cli.actions.asking import terminal

async def run(args):
    ask = terminal()
    assert ask is not None
    print("answered", repr(ask("name? ")))
    return 0

main.command_module("get").run = run
sys.exit(main.run(["get"]))
"""


def asking() -> tuple[subprocess.Popen[str], int]:
    """A command that asks on a terminal, when it has asked; and the other end of that terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ASKING],
        env=ENVIRONMENT,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    assert process.stderr is not None
    assert process.stderr.read(len("name? ")) == "name? "
    return process, ours


def test_an_interrupted_question_ends_at_once() -> None:
    process, terminal = asking()
    process.send_signal(signal.SIGINT)
    told, error = process.communicate(timeout=30)
    os.close(terminal)
    assert (process.returncode, told, error) == (130, "", "\nNothing was changed.\n")


def test_an_answered_question_goes_on() -> None:
    process, terminal = asking()
    os.write(terminal, b"billing\n")
    told, error = process.communicate(timeout=30)
    os.close(terminal)
    assert (process.returncode, told, error) == (0, "answered 'billing\\n'\n", "")


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    words = ("plan", "--base", ".", "--head", ".", "--no-live")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "apiclients.cli.main", *words],
            cwd=tmp_path, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: standard output cannot be written: No space left on device\n")


def test_a_shared_file_keeps_the_mode_that_it_has(tmp_path: Path) -> None:
    file = tmp_path / "live.json"
    write_whole(file, b"one", PRIVATE)
    write_whole(file, b"two", SHARED)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"two", 0o600)
    file.chmod(0o644)
    write_whole(file, b"three", PRIVATE)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"three", 0o600)


def test_the_headline_stays_on_a_small_terminal() -> None:
    text = "\n".join(f"line {number}" for number in range(40))
    shown = fitted(text, 24, 80).splitlines()
    assert len(shown) == 23, "the last row is the cursor's"
    assert (shown[0], shown[21], shown[22][:15]) == ("line 0", "line 21", "… 18 more lines")
    assert fitted(text, 41, 80) == text
    assert fitted(text, 0, 80) == text
    assert len(fitted("\n".join(["x" * 100] * 40), 24, 80).splitlines()) == 12, "each takes two rows"
