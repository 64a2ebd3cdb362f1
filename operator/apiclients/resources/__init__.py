"""The kinds of ``apiclients.dev``: models, conditions, reasons, names. Imports nothing else of this package."""
