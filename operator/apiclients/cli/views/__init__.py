"""View models: what a screen says, as frozen dataclasses made from what was read. Pure."""
