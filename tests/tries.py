"""How many examples of a property are tried: all of them in `make test-slow`, a share of them in `make test`."""

from hypothesis import settings

#: What the profile `full` of `conftest` tries of a property that names no number.
FULL = 100


def tries(n: int) -> int:
    """So many of `n` examples as the profile in use tries of its hundred, and one at least."""
    profile = settings.default
    return n if profile is None else max(1, n * profile.max_examples // FULL)
