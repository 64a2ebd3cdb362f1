"""View models as text. Pure."""
