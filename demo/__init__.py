"""The demonstration: a whole life of an API client on a real API server, behind a real gateway, driven from Git."""
