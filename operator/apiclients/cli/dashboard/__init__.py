"""The dashboard: pages on 127.0.0.1 that only look, for one person, with that person's own rights."""
