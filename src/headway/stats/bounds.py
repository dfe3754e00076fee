"""An interval as a value: whoever shows one imports nothing that reckons. `interval` and its neighbours make them."""

from msgspec import Struct


class Interval(Struct, frozen=True, kw_only=True):
    """The values that the data do not contradict: `low` to `high`, both within, at the two-sided `level` in (0, 1)."""

    low: float
    high: float
    level: float
