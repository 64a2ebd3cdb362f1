"""The gateways of examples/gateways: the real programs, the real gate, a real API server."""
