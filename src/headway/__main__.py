"""`headway` and `python -m headway`: help and version without importing anything, else the one command asked for."""

import sys


def main() -> int:
    """Run one command; returns its exit code (design, section 6)."""
    from headway.cli import dispatch

    return dispatch(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
