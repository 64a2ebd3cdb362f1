"""Makes the pictures in docs/pictures from what the real programs print on a real API server."""
