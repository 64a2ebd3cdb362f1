"""The dashboard: read-only pages on 127.0.0.1, for one user, with that user's own rights."""
