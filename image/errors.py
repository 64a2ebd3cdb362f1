"""What can go wrong, in a sentence for people."""


class ImageError(Exception):
    """Something a person has to put right; the message says what is wrong and what to do."""
