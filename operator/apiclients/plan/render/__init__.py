"""Renderers: a plan in, text out. Each is pure, and deterministic."""
