"""Builds the container image from the ``Containerfile``, with whichever builder there is."""
