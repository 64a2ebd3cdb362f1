"""What a person sees: views of what was read, their text, and machine-readable output."""
