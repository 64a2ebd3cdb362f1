"""Manifests in Git: where they stand, what to change in them."""
