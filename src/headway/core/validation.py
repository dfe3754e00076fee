"""What can be asked of data before a model is trained on them, what was found, and the verdict on all of it.

A check is one question about some columns or the whole table; a finding answers it with counts, examples and a
remedy. How checks are written down is `core/schema`'s business, how they are measured `tables/`'s.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warn"]
"""What a broken check does: stop what would be trained on the data, or only be told."""

Outcome = Literal["pass", "fail", "error", "not-applicable"]
"""What came of a check. `error`: it could not be measured, which is no pass. `not-applicable`: no reference yet."""

Kind = Literal[
    "integer",
    "number",
    "decimal",
    "boolean",
    "string",
    "date",
    "time",
    "datetime",
    "duration",
    "binary",
    "list",
    "struct",
    "null",
]
"""What a column holds, whatever the file calls it. `null`: there is no value to tell by."""

Cell = str | int | float | bool
"""A value as a person writes it into a schema; times are ISO 8601 texts."""


class Tolerance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How many rows may break a check: a `share` of the rows (0 to 1), or a `count`; whichever allows more."""

    share: float = 0.0
    count: int = 0

    def allows(self, n_bad: int, n_rows: int) -> bool:
        """Whether so many bad rows of so many are within it.

        >>> Tolerance(share=0.01).allows(10, 1000), Tolerance(share=0.01).allows(11, 1000)
        (True, False)
        """
        # 0.29 * 100 is less than 29: the share is divided for, as it is told.
        return n_bad <= self.count or n_bad / max(n_rows, 1) <= self.share


# --- what is asked of each row ------------------------------------------------------------------------------------


class IsKind(Struct, frozen=True, tag="type"):
    """Each value is of this kind; a whole number is a number too. Texts of a CSV count by what they look like."""

    kind: Kind


class NotNull(Struct, frozen=True, tag="not-null"):
    """There is a value."""


class OneOf(Struct, frozen=True, tag="values"):
    """Each value is one of these."""

    values: tuple[Cell, ...]


class InRange(Struct, frozen=True, kw_only=True, tag="range", omit_defaults=True):
    """Each value lies between the bounds, which belong to the range unless they are `open`. NaN lies in no range."""

    minimum: Cell | None = None
    maximum: Cell | None = None
    open_minimum: bool = False
    open_maximum: bool = False


class Matches(Struct, frozen=True, tag="matches"):
    """Each text matches the regular expression from its first to its last character (syntax of Rust's `regex`)."""

    pattern: str


class HasLength(Struct, frozen=True, kw_only=True, tag="length", omit_defaults=True):
    """Each text has so many characters, each list so many elements."""

    minimum: int = 0
    maximum: int | None = None


class IsDate(Struct, frozen=True, tag="date-format"):
    """Each text is a time written like this (`%Y-%m-%d`)."""

    format: str


class IsFinite(Struct, frozen=True, tag="finite"):
    """No value is NaN or infinite."""


class IsPlain(Struct, frozen=True, tag="plain-text"):
    """No text holds control or invisible characters, replacement characters, or blanks at its ends."""


class OneType(Struct, frozen=True, tag="one-type"):
    """The texts of a column are not of mixed kinds: the fewer of numbers and words are the bad rows."""


class OneNull(Struct, frozen=True, tag="one-null"):
    """What is missing is written in one way: `NA`, `null`, `-` beside each other are bad, the rarer ones."""


class RowHolds(Struct, frozen=True, tag="row"):
    """A condition over the columns of a row in Polars' SQL, such as `arrival >= departure`; null breaks nothing."""

    expression: str


class NoOutlier(Struct, frozen=True, tag="outliers"):
    """No number lies further outside the quartiles than so many times the distance between them (Tukey, 1977).

    The quartiles are the reference's where there is one.
    """

    times_iqr: float = 3.0


RowAsk = (
    IsKind | NotNull | OneOf | InRange | Matches | HasLength | IsDate | IsFinite | IsPlain | OneType | OneNull
    | RowHolds | NoOutlier
)  # fmt: skip

# --- what is asked of rows together -------------------------------------------------------------------------------


class IsUnique(Struct, frozen=True, tag="unique"):
    """No two rows have the same values in the check's columns; rows with a null in one of them are passed over."""


class NoDuplicates(Struct, frozen=True, tag="no-duplicates"):
    """No row is there twice, nulls being equal; in the check's columns, or in all of them when it names none."""


class OneLabel(Struct, frozen=True, tag="one-label"):
    """Rows that are equal in the check's columns (all others, when it names none) have the same label."""

    label: str


class IsIncreasing(Struct, frozen=True, kw_only=True, tag="increasing", omit_defaults=True):
    """The column never falls from one row to the next (never stays, if `strictly`); nulls are passed over."""

    strictly: bool = False


# --- what is asked of the table or of a whole column --------------------------------------------------------------


class HasColumn(Struct, frozen=True, tag="present"):
    """The check's columns are there."""


class NoOthers(Struct, frozen=True, tag="no-new-columns"):
    """There are no columns but the check's own."""


class RowCount(Struct, frozen=True, kw_only=True, tag="rows", omit_defaults=True):
    """So many rows."""

    minimum: int = 0
    maximum: int | None = None


class RowChange(Struct, frozen=True, kw_only=True, tag="row-change", omit_defaults=True):
    """So many times the rows of the reference."""

    minimum: float = 0.0
    maximum: float | None = None


class Statistic(Struct, frozen=True, kw_only=True, tag="statistic", omit_defaults=True):
    """A number about a column lies between the bounds, which belong to it.

    `of`: `mean`, `std`, `min`, `max`, `sum`, `median`, `distinct`, `nulls` (a share), `quantile` (at `at`, 0 to 1), or
    `share` (of the rows with a value that have the value `at`).
    """

    of: Literal["mean", "std", "min", "max", "sum", "median", "distinct", "nulls", "quantile", "share"]
    minimum: float | None = None
    maximum: float | None = None
    at: Cell | None = None


class IsFresh(Struct, frozen=True, tag="fresh"):
    """The newest time in the column is at most so many seconds before now; one in the future is bad."""

    within_s: float


class Varies(Struct, frozen=True, tag="varies"):
    """No single value makes up more than this share of the rows that have one."""

    most: float = 0.99


class IsBalanced(Struct, frozen=True, tag="balanced"):
    """Each value of the column (a label) makes up at least this share of the rows."""

    least: float


class HidesLabel(Struct, frozen=True, kw_only=True, tag="no-target-leak", omit_defaults=True):
    """No single one of the check's columns (all, when it names none) tells the label all but alone.

    Measured as the share of the label's variation that the column explains by itself, 0 to 1.
    """

    label: str
    most: float = 0.95


# --- what is asked against other data -----------------------------------------------------------------------------


class IsKnown(Struct, frozen=True, kw_only=True, tag="foreign-key", omit_defaults=True):
    """The values of the check's columns are among those of `columns` in the table `other` (path or dataset version)."""

    other: str
    columns: tuple[str, ...] = ()


class NotShared(Struct, frozen=True, tag="not-in"):
    """No row's values in the check's columns (all, when it names none) are in the table `other`: rows or keys leak."""

    other: str


class IsAfter(Struct, frozen=True, tag="after"):
    """Each time in the column is later than all those of the same column in the table `other`: leakage of time."""

    other: str


class NoShift(Struct, frozen=True, kw_only=True, tag="no-shift", omit_defaults=True):
    """The check's columns are distributed as in the reference.

    Told as changed only if that is beyond chance, at `false_alarms` for all columns of the check together (a
    probability for each look at data that did not change), and by at least `least`: of the reference's standard
    deviation for numbers (Wasserstein distance), of the rows that moved for categories (total variation).
    """

    false_alarms: float = 0.01
    least: float = 0.1


class NoSkew(Struct, frozen=True, kw_only=True, tag="no-skew", omit_defaults=True):
    """The check's columns are in training as they are in the requests of an endpoint's prediction log.

    With a `key`, rows are matched and compared one by one; otherwise as `NoShift` does.
    """

    log: str
    key: str = ""
    false_alarms: float = 0.01
    least: float = 0.1


class SqlFinds(Struct, frozen=True, tag="sql"):
    """A query over the table `data` gives the bad rows; none is good. In DuckDB's SQL."""

    query: str


class FunctionHolds(Struct, frozen=True, kw_only=True, tag="python"):
    """A function of the user's, `file.py:name`, is given a Polars LazyFrame and gives what is bad.

    It gives a boolean for the table, or an expression or a boolean column that is true where a row is good.
    """

    function: str


Ask = (
    RowAsk | IsUnique | NoDuplicates | OneLabel | IsIncreasing | HasColumn | NoOthers | RowCount | RowChange | Statistic
    | IsFresh | Varies | IsBalanced | HidesLabel | IsKnown | NotShared | IsAfter | NoShift | NoSkew | SqlFinds
    | FunctionHolds
)  # fmt: skip
"""Everything that can be asked. Each has a tag, by which it is called in files and reports."""


class DataCheck(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question about `columns` (none: the table). `at` is where it is written: `columns.temp.max`.

    `name` is what a person calls it. One with `if_there` is not applicable where one of its columns is absent.
    """

    asks: Ask
    columns: tuple[str, ...] = ()
    severity: Severity = "error"
    tolerance: Tolerance = Tolerance()
    at: str = ""
    name: str = ""
    if_there: bool = False


# --- what was found -----------------------------------------------------------------------------------------------


class Example(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bad row: its number in the table (from 1), where it stands (`line` from 1, for texts), and what it holds.

    `values` are the columns asked about, as texts; a null is None.
    """

    row: int
    file: str = ""
    line: int | None = None
    values: dict[str, str | None] = {}


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one check, in words (`why`, and the `remedy` if it is broken) and in numbers.

    `n_bad` rows of `n_rows` break it, where rows can; `value` is what was measured, where one number was.
    `method` names how, where there is more than one way.
    """

    check: DataCheck
    outcome: Outcome
    why: str
    remedy: str = ""
    n_rows: int = 0
    n_bad: int | None = None
    value: float | None = None
    method: str = ""
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float | None:
        """The share of bad rows, 0 to 1."""
        return None if self.n_bad is None else self.n_bad / max(self.n_rows, 1)

    @property
    def word(self) -> Outcome | Literal["warn"]:
        """The outcome, or `warn` where what is broken is only told."""
        return "warn" if self.outcome == "fail" and self.check.severity == "warn" else self.outcome


class DataVerdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer for one table: `fail` if a check of severity error is broken, `error` if one could not be measured.

    `warn`: only checks of severity warn are. `findings` in the order of the checks.
    """

    outcome: Literal["pass", "warn", "fail", "error"]
    why: str
    n_rows: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether a model may be trained on the data."""
        return self.outcome in ("pass", "warn")

    @property
    def broken(self) -> list[Finding]:
        """What is broken or could not be measured: errors first, then warnings, as they were written."""
        found = [one for one in self.findings if one.outcome in ("fail", "error")]
        return sorted(found, key=lambda one: (one.check.severity == "warn", one.outcome == "error"))


def conclude(findings: Sequence[Finding], n_rows: int) -> DataVerdict:
    """The verdict on all findings about a table of so many rows."""
    serious = [one for one in findings if one.check.severity == "error"]
    n_failed = sum(one.outcome == "fail" for one in serious)
    n_open = sum(one.outcome == "error" for one in serious)
    n_warned = sum(one.outcome in ("fail", "error") for one in findings) - n_failed - n_open
    n_asked = sum(one.outcome != "not-applicable" for one in findings)
    parts = []
    if n_failed:
        parts.append(f"{n_failed} of {n_asked} checks failed")
    if n_open:
        parts.append(f"{n_open} could not be measured")
    if n_warned:
        parts.append(f"{n_warned} warn" + "s" * (n_warned == 1))
    outcome: Literal["pass", "warn", "fail", "error"] = "pass"
    if n_failed:
        outcome = "fail"
    elif n_open:
        outcome = "error"
    elif n_warned:
        outcome = "warn"
    if not parts:
        parts = [f"all {n_asked} checks hold" if n_asked != 1 else "the one check holds"]
    return DataVerdict(outcome=outcome, why=", ".join(parts), n_rows=n_rows, findings=tuple(findings))
