"""``python -m tests.upgrades VERSION``, at each release: what is here is the previous release of the next one."""

import argparse

from tests.upgrades.releases import record


def main() -> None:
    """Write ``previous/``."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrades", description=__doc__)
    parser.add_argument("version", help="of the release whose commit is checked out, such as 0.2.0")
    record(parser.parse_args().version)


if __name__ == "__main__":
    main()
