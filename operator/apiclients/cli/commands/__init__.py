"""One module per command: ``register`` adds its parser, ``run`` does it and returns the exit status."""
