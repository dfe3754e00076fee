"""What was counted in one window of a release, as values: of each version, of pairs, over all requests or of a slice.

Whoever counts makes windows in the order of time, one for all requests (`slice` empty) and one for each slice; labels
that arrive later are windows of their own, which hold nothing but labels. Knows no guard.
"""

from typing import Literal

from msgspec import Struct

from headway.stats.arms import Arms

Slice = tuple[tuple[str, str], ...]
"""Columns and their values: `(("region", "south"),)`; empty: all requests."""

CountName = Literal["errors", "slow", "wrong"]


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version's part of a window: `failed` and `slow` of its `requests`, `wrong` of those that are `labelled`.

    `wrong` may be a sum of losses in [0, 1]. `bins` counts its predictions by bins that were fixed before.
    """

    requests: int = 0
    failed: int = 0
    slow: int = 0
    labelled: int = 0
    wrong: float = 0.0
    bins: tuple[int, ...] = ()

    def bad(self, metric: CountName) -> tuple[float, float]:
        """Of how many, how many were bad."""
        match metric:
            case "errors":
                return self.requests, self.failed
            case "slow":
                return self.requests, self.slow
            case "wrong":
                return self.labelled, self.wrong


class Compared(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Requests of a shadow that both versions answered: on `differ` of `answered` they did not agree.

    Of those that are `labelled`, `only_new` were right by the new version alone, `only_old` by the champion alone and
    `neither` by none of them.
    """

    answered: int = 0
    differ: int = 0
    labelled: int = 0
    only_new: int = 0
    only_old: int = 0
    neither: int = 0


class Window(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One window: the new version's counts, the champion's, and what a shadow compared.

    Labels of a shadow's requests count in `compared` and not in `new` and `old`, so that none counts twice.
    """

    new: Counts = Counts()
    old: Counts = Counts()
    compared: Compared = Compared()
    slice: Slice = ()

    def arms(self, metric: CountName, burst: float) -> Arms:
        """The four numbers of a metric, divided by the size of bursts."""
        (n_new, bad_new), (n_old, bad_old) = self.new.bad(metric), self.old.bad(metric)
        return Arms(n_new=n_new / burst, bad_new=bad_new / burst, n_old=n_old / burst, bad_old=bad_old / burst)

    def of_bin(self, i: int, burst: float) -> Arms:
        """The same of the predictions in bin `i`; no numbers where no version's were counted."""
        new, old = self.new.bins, self.old.bins
        if i >= len(new) or i >= len(old):
            return Arms(n_new=0, bad_new=0, n_old=0, bad_old=0)
        return Arms(n_new=sum(new) / burst, bad_new=new[i] / burst, n_old=sum(old) / burst, bad_old=old[i] / burst)
