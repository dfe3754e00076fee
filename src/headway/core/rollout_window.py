"""What was counted in one window of a release, as values: of each version, of pairs, over all requests or of a slice.

Whoever counts (`core/tally`) makes windows in the order of time, one for all requests (`slice` empty) and one for each
slice, each of one stage: where the traffic was shared otherwise another window begins. Knows no guard.
"""

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    # Facts hold windows, and are read by every command: numbers are imported where they are reckoned with.
    from headway.stats.arms import Arms

Slice = tuple[tuple[str, str], ...]
"""Columns and their values: `(("region", "south"),)`; empty: all requests."""

CountName = Literal["errors", "slow", "wrong"]


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version's part of a window: `failed` and `slow` of its `requests`, `wrong` of those that are `labelled`.

    `wrong` may be a sum of losses in [0, 1]. `bins` counts its predictions by bins that were fixed before. A request of
    n rows is one request, and each of its rows the n-th part of one where rows are counted: by labels and in bins.
    """

    requests: int = 0
    failed: int = 0
    slow: int = 0
    labelled: float = 0
    wrong: float = 0
    bins: tuple[float, ...] = ()

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
    `neither` by none of them. Rows count as in `Counts`; of losses in [0, 1] `only_new` is what the champion's are
    larger by, `only_old` what the new version's are, `neither` what both have lost.
    """

    answered: int = 0
    differ: float = 0
    labelled: float = 0
    only_new: float = 0
    only_old: float = 0
    neither: float = 0


class Risk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many of each version had met no bad answer before, and how many of them met their first one."""

    n_new: int = 0
    bad_new: int = 0
    n_old: int = 0
    bad_old: int = 0


class Units(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a window tells of customers (or whatever sticks to a version) instead of requests, each counted once a span.

    A stage is cut into spans of time, `span` counts from 0. `new` and `old` count the customers that came in the span
    for the first time, by their first request, and by the first label of theirs. `errors` and `slow` are of those that
    have come in the span until now and not met a bad answer before, and how many of them met their first one now.
    """

    span: int
    new: Counts = Counts()
    old: Counts = Counts()
    errors: Risk = Risk()
    slow: Risk = Risk()


class Window(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One window: the new version's counts, the champion's, and what a shadow compared.

    Labels of a shadow's requests count in `compared` and not in `new` and `old`, so that none counts twice. `stage` is
    the stage whose traffic it was, -1: the one that is on; `at` the time (UTC seconds) of the last entry, 0: unknown.
    `by` is the field by whose value requests stuck to a version, empty: by none; then `units` are what versions are
    compared by, and requests only show how far a stage is.
    """

    new: Counts = Counts()
    old: Counts = Counts()
    compared: Compared = Compared()
    slice: Slice = ()
    stage: int = -1
    at: float = 0.0
    by: str = ""
    units: tuple[Units, ...] = ()

    def arms(self, metric: CountName, burst: float) -> "Arms":
        """The four numbers of a metric, divided by the size of bursts."""
        from headway.stats.arms import Arms

        (n_new, bad_new), (n_old, bad_old) = self.new.bad(metric), self.old.bad(metric)
        return Arms(n_new=n_new, bad_new=bad_new, n_old=n_old, bad_old=bad_old).in_bursts(burst)

    def of_bin(self, i: int, burst: float) -> "Arms":
        """The same of the predictions in bin `i`; no numbers where no version's were counted."""
        from headway.stats.arms import Arms

        new, old = self.new.bins, self.old.bins
        if i >= len(new) or i >= len(old):
            return Arms(n_new=0, bad_new=0, n_old=0, bad_old=0)
        return Arms(n_new=sum(new) / burst, bad_new=new[i] / burst, n_old=sum(old) / burst, bad_old=old[i] / burst)
