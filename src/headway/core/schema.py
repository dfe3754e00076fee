"""What a person may write in a schema of data, `schemas/training.yaml`: one Struct for each mapping, with its words.

What is not written is not asked. Nearly every value may be written short (`min: 0`) or long, with how many rows may
break it and what that does (`min: {is: 0, tolerate: 0.1%, severity: warn}`). `core/schema_checks` says which checks a
schema means, `core/schema_faults` what is senseless in one; neither kinds nor places of faults are known here.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from headway.core.validation import Cell, Kind, Severity

SHARE = r"^[0-9]+(\.[0-9]+)? *%$"
"""A share as text: `0.1%`."""


def _means(description: str, *examples: object, **schema: object) -> Meta:
    """What editors show about a key."""
    return Meta(description=description, examples=list(examples) or None, extra_json_schema=schema or None)


Amount = int | str
"""So many rows (12), or a share of them (`0.1%`)."""

Span = int | str
"""What a number may be: `4..6`, `4..`, `..6`, or exactly 5."""

Names = str | list[str]

Tolerate = Annotated[Amount, _means("How many rows may break it: a share of them, or a count.", "0.1%", 12)]
Told = Annotated[Severity | UnsetType, _means("`error` stops the training, `warn` only tells.", "warn")]


class Flag(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that is asked or not, in full."""

    is_: Annotated[bool, _means("Whether it is asked.", True)] = field(name="is", default=True)
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Typed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A type, in full."""

    is_: Annotated[Kind, _means("What the column holds.", "number")] = field(name="is")
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Nulls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many values may be missing, in full."""

    max: Annotated[Amount, _means("So many at most: a share of the rows, or a count.", "1%", 12)]
    severity: Told = UNSET


class Values(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The allowed values, in full."""

    are: Annotated[list[Cell], _means("The allowed values.", ["UA", "B6"])]
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Bound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A bound of values, in full."""

    is_: Annotated[Cell, _means("The bound: a number, or a time in quotes.", 0, "2013-01-01")] = field(name="is")
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Text(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A text that says what is asked, in full."""

    is_: Annotated[str, _means("What would stand there in short.", "[A-Z]{2}")] = field(name="is")
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Length(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long texts or lists are, in full."""

    min: Annotated[int, _means("At least so many.", 1, minimum=0)] = 0
    max: Annotated[int | UnsetType, _means("At most so many.", 20, minimum=0)] = UNSET
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Range(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one number about the data may be, in full; shares as `10%`."""

    min: Annotated[float | str | UnsetType, _means("At least so much.", 4, "10%")] = UNSET
    max: Annotated[float | str | UnsetType, _means("At most so much.", 6, "30%")] = UNSET
    severity: Told = UNSET


class Age(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How old the newest time may be, in full."""

    within: Annotated[int | float | str, _means("Seconds, or a time with its unit.", "2d")]
    severity: Told = UNSET


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The order of rows, in full."""

    is_: Annotated[bool | Literal["strictly"], _means("`strictly`: no value may be there twice.", "strictly")] = field(
        name="is", default=True
    )
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Most(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share that may not be larger, in full."""

    most: Annotated[str, _means("The largest share.", "99%", pattern=SHARE)]
    severity: Told = UNSET


class Least(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share that may not be smaller, in full."""

    least: Annotated[str, _means("The smallest share.", "5%", pattern=SHARE)]
    severity: Told = UNSET


class Outliers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How far from the others a number may lie, in full."""

    times: Annotated[float, _means("So many times the distance between the quartiles, outside of them.", 3)] = 3.0
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Column(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """What is asked of one column. In short only its type."""

    type: Annotated[Kind | Typed | UnsetType, _means("What it holds; a whole number is a number too.", "number")] = (
        UNSET
    )
    required: Annotated[
        bool | Literal["warn"], _means("Whether it must be there; without, its checks wait until it is.", False)
    ] = True
    nulls: Annotated[Amount | Nulls | UnsetType, _means("How many values may be missing.", 0, "1%")] = UNSET
    unique: Annotated[bool | Flag, _means("No value is there twice.", True)] = False
    values: Annotated[list[Cell] | Values | UnsetType, _means("The allowed values.", ["UA", "B6"], [0, 1])] = UNSET
    other: Annotated[Amount, _means("How many rows may have a value that is not allowed.", "0.1%")] = 0
    min: Annotated[Cell | Bound | UnsetType, _means("No value is less.", 0, "2013-01-01")] = UNSET
    max: Annotated[Cell | Bound | UnsetType, _means("No value is more.", 100)] = UNSET
    above: Annotated[Cell | Bound | UnsetType, _means("Each value is more.", 0)] = UNSET
    below: Annotated[Cell | Bound | UnsetType, _means("Each value is less.", 1)] = UNSET
    matches: Annotated[
        str | Text | UnsetType, _means("A regular expression for the whole text (Rust's syntax).", "[A-Z]{2}[0-9]+")
    ] = UNSET
    length: Annotated[Span | Length | UnsetType, _means("How many characters or elements.", 3, "1..20")] = UNSET
    date_format: Annotated[str | Text | UnsetType, _means("How times are written.", "%Y-%m-%d")] = UNSET
    plain_text: Annotated[bool | Flag, _means("No control or invisible signs, no blanks at the ends.", True)] = False
    one_type: Annotated[bool | Flag, _means("Not numbers in some rows and words in others.", True)] = False
    one_null: Annotated[bool | Flag, _means("What is missing is written in one way.", True)] = False
    finite: Annotated[bool | Flag, _means("No NaN, no infinity.", True)] = False
    outliers: Annotated[
        bool | float | Outliers, _means("No number lies so many quartile distances outside the quartiles.", 3, True)
    ] = False
    increasing: Annotated[
        bool | Literal["strictly"] | Order, _means("Never falls from one row to the next.", True, "strictly")
    ] = False
    fresh: Annotated[
        int | float | str | Age | UnsetType, _means("How old the newest time may be; none is in the future.", "2d")
    ] = UNSET
    after: Annotated[
        str | Text | UnsetType, _means("Other data; each time here is later than all there.", "data/training.csv")
    ] = UNSET
    mean: Annotated[Span | Range | UnsetType, _means("What the mean may be.", "4..6")] = UNSET
    std: Annotated[Span | Range | UnsetType, _means("What the standard deviation may be.", "0.5..2")] = UNSET
    median: Annotated[Span | Range | UnsetType, _means("What the median may be.", "4..6")] = UNSET
    sum: Annotated[Span | Range | UnsetType, _means("What the sum may be.", "0..")] = UNSET
    smallest: Annotated[Span | Range | UnsetType, _means("What the smallest value may be.", "0..1")] = UNSET
    largest: Annotated[Span | Range | UnsetType, _means("What the largest value may be.", "90..100")] = UNSET
    quantiles: Annotated[dict[str, Span | Range], _means("What quantiles may be.", {"0.95": "4..6"})] = {}
    distinct: Annotated[Span | Range | UnsetType, _means("How many different values.", "2..50")] = UNSET
    shares: Annotated[dict[str, Span | Range], _means("What share of the values each is.", {"UA": "10%..30%"})] = {}
    varies: Annotated[
        bool | str | Most, _means("No single value makes up more than this (99 % if true).", True, "95%")
    ] = False
    balanced: Annotated[str | Least | UnsetType, _means("Each value makes up at least this share.", "5%")] = UNSET
    severity: Annotated[Severity, _means("What a broken check of this column does, if not said there.", "warn")] = (
        "error"
    )
    about: Annotated[str, _means("What the column is, for people.", "degrees Fahrenheit at departure")] = ""


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The columns that tell rows apart, in full."""

    columns: Annotated[Names, _means("The columns, which together are different in each row.", ["date", "id"])]
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Duplicates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rows that are there twice, in full."""

    columns: Annotated[Names, _means("Only these columns count; without, all.", ["date", "carrier"])] = []
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Leak(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much a single column may tell of the label, in full."""

    most: Annotated[
        str, _means("The largest share of the label that one column may explain.", "95%", pattern=SHARE)
    ] = "95%"
    columns: Annotated[Names, _means("Only these columns are looked at; without, all.", ["carrier"])] = []
    severity: Told = UNSET


class Shift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """What is told of as a change of distribution against the reference."""

    columns: Annotated[Names, _means("Only these columns; without, all.", ["temp", "carrier"])] = []
    except_: Annotated[Names, _means("All but these columns.", ["date"])] = field(name="except", default_factory=list)
    false_alarms: Annotated[
        str, _means("How often data that did not change may be told of, for all columns together.", "1%", pattern=SHARE)
    ] = "1%"
    least: Annotated[
        float, _means("Smaller changes are not told: in standard deviations, or the share of rows that moved.", 0.1)
    ] = 0.1
    severity: Told = UNSET


class Label(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """What is asked of the column that a model learns to tell. In short only its name: then each row must have it."""

    column: Annotated[str, _means("The column.", "late")]
    balance: Annotated[str | Least | UnsetType, _means("Each of its values makes up at least this.", "5%")] = UNSET
    one_label: Annotated[bool | Duplicates, _means("Rows that are equal in all else have the same label.", True)] = (
        False
    )
    no_target_leak: Annotated[bool | str | Leak, _means("No single column tells it all but alone.", True, "95%")] = (
        False
    )
    shift: Annotated[bool | Shift, _means("It is distributed as in the reference.", True)] = False


class Skew(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """How training may differ from the requests of an endpoint."""

    log: Annotated[str, _means("The endpoint, or its prediction log.", "churn")]
    key: Annotated[str, _means("The column by which rows are matched; without, distributions are.", "request_id")] = ""
    columns: Annotated[Names, _means("Only these columns; without, all.", ["temp"])] = []
    false_alarms: Annotated[
        str, _means("How often data that did not change may be told of, for all columns together.", "1%", pattern=SHARE)
    ] = "1%"
    least: Annotated[float, _means("Smaller changes are not told.", 0.1)] = 0.1
    tolerate: Tolerate = 0
    severity: Told = UNSET


class ForeignKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Columns whose values must be in another table."""

    columns: Annotated[Names, _means("The columns here.", "carrier")]
    in_: Annotated[str, _means("The other table: a path or a dataset version.", "data/airlines.csv")] = field(name="in")
    called: Annotated[Names, _means("What the columns are called there, if not the same.", "code")] = []
    tolerate: Tolerate = 0
    severity: Told = UNSET


class NotIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Data that must share nothing with these."""

    data: Annotated[str, _means("The other data: a path or a dataset version.", "data/holdout.csv")]
    columns: Annotated[Names, _means("The columns that must not be shared; without, whole rows.", "flight_id")] = []
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Custom(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A check in your own words; one of `row`, `sql`, `python`, `unique` or `each`."""

    name: Annotated[str, _means("What it is called.", "no flight to itself")] = ""
    row: Annotated[str, _means("A condition that each row keeps (Polars' SQL).", "arrival >= departure")] = ""
    sql: Annotated[str, _means("A query over `data` that finds bad rows (DuckDB's SQL).", "SELECT * FROM data")] = ""
    python: Annotated[str, _means("A function that is given a Polars LazyFrame.", "checks.py:weekend")] = ""
    unique: Annotated[Names, _means("Columns that together are different in each row.", ["date", "id"])] = []
    columns: Annotated[Names, _means("The columns that `each` speaks of.", ["temp", "dewp"])] = []
    each: Annotated[Column | UnsetType, _means("What is asked of each of `columns`.", {"min": 0})] = UNSET
    tolerate: Tolerate = 0
    severity: Told = UNSET


class Schema(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """What data must be like: nothing of it is required, and what is not written is not asked."""

    version: Annotated[int, _means("The version of this file's format.", 1, enum=[1])] = 1
    rows: Annotated[Span | Range | UnsetType, _means("How many rows.", "1000..")] = UNSET
    row_change: Annotated[Span | Range | UnsetType, _means("How many times those of the reference.", "0.5..2")] = UNSET
    extra_columns: Annotated[
        Literal["error", "warn", "allow"], _means("What columns do that are not listed.", "warn")
    ] = "allow"
    columns: Annotated[dict[str, Kind | Column | None], _means("The columns, by name.", {"temp": "number"})] = {}
    key: Annotated[Names | Key | UnsetType, _means("The columns that tell rows apart; none is missing.", "id")] = UNSET
    no_duplicates: Annotated[bool | Duplicates, _means("No row is there twice.", True)] = False
    label: Annotated[str | Label | UnsetType, _means("The column that a model learns to tell.", "late")] = UNSET
    shift: Annotated[bool | Shift, _means("All is distributed as in the reference.", True)] = False
    skew: Annotated[str | Skew | UnsetType, _means("Training is like the requests of this endpoint.", "churn")] = UNSET
    foreign_keys: Annotated[list[ForeignKey], _means("Values that must be in other tables.")] = []
    not_in: Annotated[
        str | NotIn | list[str | NotIn], _means("Data that must share no rows with these.", "data/holdout.csv")
    ] = []
    checks: Annotated[list[Custom], _means("Checks in your own words.", [{"row": "arrival >= departure"}])] = []

    def column(self, name: str) -> Column | None:
        """What is asked of a column, in full; None when it is not listed."""
        if name not in self.columns:
            return None
        written = self.columns[name]
        return written if isinstance(written, Column) else Column(type=written) if written else Column()


FOREIGN = {
    "dtype": "type", "kind": "type", "nullable": "nulls", "null": "nulls", "optional": "required", "missing": "nulls",
    "not-null": "nulls", "presence": "required", "allowed": "values", "enum": "values", "domain": "values",
    "isin": "values", "one-of": "values", "categories": "values", "minimum": "min", "ge": "min", "maximum": "max",
    "le": "max", "gt": "above", "lt": "below", "greater-than": "above", "less-than": "below", "pattern": "matches",
    "regex": "matches", "format": "date-format", "len": "length", "str-length": "length", "freshness": "fresh",
    "monotonic": "increasing", "sorted": "increasing", "average": "mean", "stddev": "std", "unique-count": "distinct",
    "description": "about", "title": "about", "doc": "about", "mostly": "tolerate", "tolerance": "tolerate",
    "level": "severity", "row-count": "rows", "primary-key": "key", "keys": "key", "duplicates": "no-duplicates",
    "target": "label", "drift": "shift", "strict": "extra-columns", "references": "foreign-keys",
    "relationships": "foreign-keys", "expectations": "checks", "fields": "columns", "features": "columns",
    "expression": "row", "query": "sql", "function": "python", "path": "data", "constant": "varies",
}  # fmt: skip
"""Keys that other tools use, and what says the same here."""
