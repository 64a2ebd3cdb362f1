"""Life cycles of API clients, kept in Git, true at the gateway at once."""

__version__ = "0.1.0"
