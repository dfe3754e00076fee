"""A clock that jumps: give its `now` wherever a function of time is asked for."""


class Clock:
    """A clock that stands still until it is moved; `at` is UTC seconds.

    >>> clock = Clock()
    >>> clock.jump(60.0)
    >>> clock.now() - Clock().now()
    60.0
    """

    __slots__ = ("at",)

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        """The time it shows."""
        return self.at

    def jump(self, seconds: float) -> None:
        """Move it on; back, too, as a clock that is set right by the network may go."""
        self.at += seconds
