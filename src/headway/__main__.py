"""`headway` and `python -m headway`: help and version without importing anything, else the one command asked for."""

import sys


def main() -> int:
    """Run one command; returns its exit code (design, section 6)."""
    import gc

    from headway.cli import dispatch

    # Commands make many values and few cycles: the default looks for cycles so often that it costs a tenth of a run.
    gc.set_threshold(100_000, 20, 20)
    return dispatch(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
