"""What a table is like, column by column, as values: what `tables/profile` measures and a schema is inferred from."""

from msgspec import Struct

from headway.core.validation import Cell, Kind


class Counted(Struct, frozen=True):
    """A value, or a pattern of texts, and in how many rows it stands."""

    value: Cell
    count: int


class Histogram(Struct, frozen=True, kw_only=True):
    """Counts of numbers: `counts[i]` lie in [edges[i], edges[i+1]), the last bin with both ends; (n + 1,) and (n,).

    Times are in UTC seconds.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Lengths(Struct, frozen=True, kw_only=True):
    """How long the texts of a column are, in characters, or its lists, in elements."""

    minimum: int
    maximum: int
    mean: float


class ColumnProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column. `stored_as` is the file's own word for its type.

    NaN and infinities are counted apart and are in no statistic; so are misfits, texts of a CSV or JSON that are no
    value of the column's kind (the most frequent in `misfits`).
    `n_distinct` of values that are not null: exact, or an estimate with the relative standard error
    `distinct_error`. `minimum` and `maximum` are numbers, ISO 8601 texts or texts. `mean`, `std` (n - 1) and
    `quantiles` (by probability: "0.25") are of numbers and of times, these in UTC seconds. `top` are the most frequent
    values. `patterns` are the most frequent shapes of texts: `A` a capital, `a` a small letter, `9` a digit.
    `is_private`: values are told nobody (`core/private`), so that whatever is one is missing.
    """

    name: str
    kind: Kind
    stored_as: str
    n_rows: int
    n_null: int = 0
    n_nan: int = 0
    n_infinite: int = 0
    n_zero: int = 0
    n_distinct: int = 0
    distinct_error: float = 0.0
    minimum: Cell | None = None
    maximum: Cell | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] = {}
    histogram: Histogram | None = None
    top: tuple[Counted, ...] = ()
    lengths: Lengths | None = None
    patterns: tuple[Counted, ...] = ()
    is_increasing: bool = False
    n_misfit: int = 0
    misfits: tuple[Counted, ...] = ()
    is_private: bool = False

    @property
    def n_values(self) -> int:
        """Rows that have a value of the column's kind."""
        return self.n_rows - self.n_null - self.n_misfit

    @property
    def is_unique(self) -> bool:
        """Whether no value is there twice, as far as is known for sure."""
        return self.n_values > 0 and self.distinct_error == 0 and self.n_distinct == self.n_values


class Correlation(Struct, frozen=True, kw_only=True):
    """How two columns of numbers go together: Pearson's r, -1 to 1, over the rows in which both have a value."""

    one: str
    other: str
    r: float


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table: its columns in their order. `sources` are the files, as they were named."""

    n_rows: int
    columns: tuple[ColumnProfile, ...]
    sources: tuple[str, ...] = ()
    correlations: tuple[Correlation, ...] = ()

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name."""
        return next((one for one in self.columns if one.name == name), None)
