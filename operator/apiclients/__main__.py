"""``python3 -m apiclients operator|gate``: the programs without their console scripts, as an image starts them."""

import sys
from importlib import import_module

_PROGRAMS = {"operator": "apiclients.operator", "gate": "apiclients.gate.main"}


def main() -> None:
    """Start the program that the first argument names; the others are its own."""
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name not in _PROGRAMS:
        print(f"usage: python3 -m apiclients {{{','.join(_PROGRAMS)}}} [options]", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"apiclient-{name}", *sys.argv[2:]]
    import_module(_PROGRAMS[name]).main()


if __name__ == "__main__":
    main()
