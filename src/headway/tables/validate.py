"""Answers all checks on a table, and gives the verdict.

Checks of rows and columns go into one query; what must see rows in order, or keys, is shown the batches, and only for
what is still open. A check that cannot be measured is an error by itself; the others are answered all the same.
Neighbours: `compile` and `errands` know what answers which check, `examples` shows the bad rows.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headway.core.findings import finding_of_rows, not_applicable, unmeasured
from headway.core.profile import Profile
from headway.core.validation import (
    DataCheck,
    DataVerdict,
    Finding,
    FunctionHolds,
    NoShift,
    RowHolds,
    SqlFinds,
    conclude,
)
from headway.errors import HeadwayError, Unmeasurable
from headway.tables.answers import Answer, Bad, Watcher
from headway.tables.compile import Beside, measure, rows_measure
from headway.tables.custom import by_function, by_query, condition
from headway.tables.errands import Around, Errand, errand_for
from headway.tables.examples import examples_of, write_bad_rows
from headway.tables.keys import Question
from headway.tables.one_pass import Folding, Progress, faults_on_nothing, shown
from headway.tables.parts import Measure
from headway.tables.sights import sights_of
from headway.tables.survey import survey

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.batches import Data

HEAD_ROWS = 1000
"""So many rows are looked at for what may be proven of the others."""


def no_others(name: str) -> "Data":
    """What is said of checks against another table where none can be had."""
    raise Unmeasurable(f"the table {name!r} cannot be had here", at=name, remedy="give its path")


def validate(  # noqa: PLR0913 (a table, what is asked, and what it is asked against)
    data: "Data",
    checks: Sequence[DataCheck],
    *,
    reference: "Data | Profile | None" = None,
    others: "Callable[[str], Data]" = no_others,
    now: float,
    examples: int = 5,
    progress: Progress | None = None,
) -> DataVerdict:
    """The verdict on a table, with a finding for each check, in their order.

    `reference` is what changes are measured against, `now` is in UTC seconds. `others` gives the table that a check
    names, and is asked for it again for each check. Each broken check shows up to `examples` rows. `progress` is told
    how many rows of a pass have been seen. Reads the columns that checks name once; twice where keys are neither proven
    nor distinct by their hashes; and once more, until it has enough, for examples. Memory does not grow with the rows
    but by eight bytes for each key.
    Raises TableUnreadable when the table cannot be read to its end.
    """
    judged = _Judged(data, checks, reference, others, now)
    judged.measure(progress)
    return conclude(judged.findings(examples), judged.n_rows)


def bad_rows(
    data: "Data",
    checks: Sequence[DataCheck],
    verdict: DataVerdict,
    path: str,
    *,
    reference: "Data | Profile | None" = None,
    others: "Callable[[str], Data]" = no_others,
) -> int:
    """Write the rows that break a failed check of the verdict as Parquet, in their order; gives how many they are.

    Before the table's columns, as the file spells them where it is one of texts, stand `row` (from 1), `file`, `line`
    (null where there are none) and `breaks`: the checks that the row breaks, each by its name, its place or its kind.
    `reference` and `others` must be those of the verdict. Reads what the failed checks need, and once all columns.
    """
    failed = [
        check
        for check, finding in zip(checks, verdict.findings, strict=True)
        if finding.outcome == "fail" and finding.n_bad
    ]
    judged = _Judged(data, failed, reference, others, now=0.0)
    judged.measure(None)
    return write_bad_rows(data, judged.bads(), path)


class _Judged:
    """Checks on their way to findings."""

    __slots__ = ("_answers", "_around", "_checks", "_data", "_errands", "_late", "_measures", "n_rows")

    def __init__(
        self,
        data: "Data",
        checks: Sequence[DataCheck],
        reference: "Data | Profile | None",
        others: "Callable[[str], Data]",
        now: float,
    ) -> None:
        self._data = data
        self._checks = checks
        self._answers: dict[int, Answer | HeadwayError] = {}
        self._measures: dict[int, Measure] = {}
        self._errands: dict[int, Errand] = {}
        self._late: list[int] = []
        self.n_rows = 0
        sights = sights_of(data)
        self._around = Around(sights=sights, head=self._head, reference=reference, others=others)
        beside = survey(data, sights, checks, reference=reference, others=self._around.others, now=now)
        for i, check in enumerate(checks):
            try:
                self._place(i, check, beside)
            except HeadwayError as e:
                self._answers[i] = e

    def _place(self, i: int, check: DataCheck, beside: Beside) -> None:
        """Find out how a check is answered. Raises what is told of one that cannot be."""
        sights = self._around.sights
        absent = [name for name in check.columns if name not in sights]
        if check.if_there and absent:
            self._answers[i] = Answer(finding=not_applicable(check, f"there is no column {absent[0]!r}"))
        elif isinstance(check.asks, NoShift) and self._around.reference is None:
            self._answers[i] = Answer(finding=not_applicable(check, "there is no reference yet"))
        elif isinstance(check.asks, SqlFinds | FunctionHolds):
            self._late.append(i)
        elif isinstance(check.asks, RowHolds):
            self._measures[i] = rows_measure(check, *condition(check, sights))
        elif (found := measure(check, sights, beside)) is not None:
            self._measures[i] = found
        else:
            self._errands[i] = errand_for(check, self._around)

    def measure(self, progress: Progress | None) -> None:
        """Look at the table as often as it takes."""
        places = list(self._measures)
        measures = [self._measures[i] for i in places]
        for i, fault in zip(places, faults_on_nothing(measures, self._around.sights), strict=True):
            if fault is not None:
                self._answers[i] = fault
                del self._measures[i]
        self._ask_all(progress)
        for i in self._late:
            check = self._checks[i]
            by = by_query if isinstance(check.asks, SqlFinds) else by_function
            self._tell(i, partial(by, check, self._data, self.n_rows))

    def _ask_all(self, progress: Progress | None) -> None:
        places = list(self._measures)
        measures = [self._measures[i] for i in places]
        folding = Folding(measures)
        self._pass({_FOLDING: folding} if folding.columns or self._data.n_rows is None else {}, progress)
        values = folding.values()
        self.n_rows = self.n_rows if self._data.n_rows is None else self._data.n_rows
        for i, one, found in zip(places, measures, values, strict=True):
            if isinstance(found, HeadwayError):
                self._answers[i] = found
            else:
                self._tell(i, partial(one.tell, found, self.n_rows))
        for i, errand in self._errands.items():
            if i not in self._answers:
                self._tell(i, partial(errand.answer, self.n_rows))

    def _pass(self, also: dict[int, Watcher], progress: Progress | None) -> None:
        """Show the table to whoever must see it, until nobody must."""
        while True:
            watchers = also | {
                i: one.watcher for i, one in self._errands.items() if one.watcher is not None and i not in self._answers
            }
            if not watchers:
                return
            hashing = [one for i, one in self._errands.items() if i in watchers and isinstance(one, Question)]
            for one in hashing:
                one.share(len(hashing))
            self.n_rows, faults = shown(self._data, watchers, progress)
            self._answers |= faults
            for i in watchers:
                if i >= 0 and i not in faults:
                    self._errands[i].go_on()
            also = {}

    def _tell(self, i: int, answer: Callable[[], Answer]) -> None:
        try:
            self._answers[i] = answer()
        except HeadwayError as e:
            self._answers[i] = e

    def _head(self, names: tuple[str, ...]) -> "pl.DataFrame":
        """The first rows."""
        query = self._data.lazy(names)
        if query is not None:
            return query.head(HEAD_ROWS).collect()
        first = next((batch.frame.head(HEAD_ROWS) for batch in self._data.batches(names)), None)
        return _empty(self._data, names) if first is None else first

    def findings(self, examples: int) -> tuple[Finding, ...]:
        """What was found of each check, those of rows with examples."""
        told = {i: self._finding(i) for i in range(len(self._checks))}
        shown_of = [i for i, one in told.items() if one.n_bad and self._bad(i) is not None]
        bads = [(bad, self._shows(i)) for i in shown_of if (bad := self._bad(i)) is not None]
        for i, some in zip(shown_of, examples_of(self._data, bads, examples), strict=True):
            old = told[i]
            told[i] = finding_of_rows(old.check, old.n_bad or 0, old.n_rows, examples=some, method=old.method)
        return tuple(told.values())

    def bads(self) -> "list[tuple[DataCheck, Bad]]":
        """How the bad rows of each check are found, where it has any."""
        return [(check, bad) for i, check in enumerate(self._checks) if (bad := self._bad(i)) is not None]

    def _finding(self, i: int) -> Finding:
        answer = self._answers[i]
        if isinstance(answer, HeadwayError):
            return unmeasured(self._checks[i], answer.problem, answer.remedy, n_rows=self.n_rows)
        return answer.finding

    def _bad(self, i: int) -> "Bad | None":
        answer = self._answers[i]
        return None if isinstance(answer, HeadwayError) else answer.bad

    def _shows(self, i: int) -> tuple[str, ...]:
        """The columns that an example shows: those asked about, or those that are read, or the first."""
        check, bad = self._checks[i], self._bad(i)
        there = [name for name in check.columns if name in self._around.sights]
        return tuple(there or (bad.columns if bad is not None else ()) or list(self._around.sights))


_FOLDING = -1
"""The place of the parts of the query among those that watch."""


def _empty(data: "Data", names: Sequence[str]) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(schema={name: data.type_of(name) for name in names})
