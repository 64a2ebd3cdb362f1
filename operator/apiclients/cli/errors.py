"""Errors that end a command: a sentence that says what to do, on standard error, exit status 1."""


class CliError(Exception):
    """The command cannot go on. The message is for the person who typed it and says what to do."""


class Interrupted(CliError):  # noqa: N818 - nothing is wrong
    """A person has ended the command; the message says what has come of it."""
