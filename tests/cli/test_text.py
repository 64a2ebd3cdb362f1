"""Ages, tables, wrapping, colour and what a stream can show."""

import io
from datetime import timedelta

import pytest

from apiclients.cli.screens.text import Mark, Style, clean, span, style_for, table, visible, wrap, write


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
        (12_600, "3h30m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (183_600, "2d3h"), (691_200, "8d"),
        (63_072_000, "2y"), (-5, "0s"),
    ],
)  # fmt: skip
def test_spans_read_as_those_of_kubectl(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_columns_are_aligned_whatever_their_colour() -> None:
    style = Style(color=True)
    lines = table([("NAME", "X"), (style.bold("a"), "1"), ("long-name", "2")])
    assert (lines[0].index("X"), lines[2].index("2")) == (12, 12)
    assert visible(lines[1]) == 13


def test_paragraphs_hang_below_their_first_words() -> None:
    lines = wrap("one two three four five six seven", 20, first=f"  {Style(color=True).mark(Mark.GOOD)} ")
    assert all(visible(line) <= 20 for line in lines)
    assert lines[1].startswith("    four")


def test_words_are_never_broken() -> None:
    assert wrap("a" * 50, 20) == ["a" * 50]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "choice", "variables", "color"),
    [
        (Terminal(), "auto", {}, True),
        (Terminal(), "auto", {"NO_COLOR": "1"}, False),
        (Terminal(), "auto", {"TERM": "dumb"}, False),
        (Terminal(), "always", {"NO_COLOR": "1"}, True),
        (Terminal(), "never", {}, False),
        (io.StringIO(), "auto", {}, False),
        (io.StringIO(), "always", {}, True),
    ],
)
def test_colour(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, choice: str, variables: dict[str, str], color: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "91")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert style_for(stream, choice) == Style(color, 91)


def test_a_stream_that_knows_ascii_alone_gets_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write(stream, "├── ✔ é")
    stream.seek(0)
    assert stream.read() == "|-- + ?\n"


def test_control_characters_are_taken_out() -> None:
    assert clean("a\x1b[2Jb\n c\u202e\x9bd") == "a[2Jb cd"


@pytest.mark.parametrize(
    "invisible",
    ["\u061c", "\u200b", "\u200e", "\u202e", "\u2060", "\u2064", "\u2069", "\ufeff", "\U000e0001", "\U000e007f"],
)
def test_characters_that_nobody_sees_are_taken_out(invisible: str) -> None:
    assert clean(f"a{invisible}b") == "ab"


def test_a_file_name_that_is_not_utf_8_can_be_written() -> None:
    name = clean(b"a\xff.yaml".decode("utf-8", "surrogateescape"))
    assert name.encode().decode() == "a\ufffd.yaml"
