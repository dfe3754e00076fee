"""What is seen of a column of texts, bytes, lists or structs: batches are taken in one by one, and two of these joined.

Neighbours: `profile_numbers` for numbers and times, `profile` for tables.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from headway.core.profile import ColumnProfile, Counted, Lengths
from headway.core.validation import Kind
from headway.tables.distinct import Distinct, hashes_of_texts
from headway.tables.often import OftenTexts
from headway.tables.profile_room import N_PATTERNS, TOP, Room

if TYPE_CHECKING:
    import polars as pl

LONGEST = 256
"""Where one is longer, no values are held, and neither the most frequent nor the least and the greatest are told."""

_PATTERN_LETTERS = 80
_PATTERNS_HELD = 4096


class TextsSeen:
    """State of one column."""

    __slots__ = (
        "_kind",
        "distinct",
        "is_increasing",
        "is_long",
        "last",
        "least",
        "lengths",
        "most",
        "n",
        "n_letters",
        "often",
        "patterns",
        "start",
    )

    def __init__(self, kind: Kind, room: Room) -> None:
        self._kind = kind
        self.distinct = Distinct(room.held)
        self.often = OftenTexts(room.held)
        # None while all texts are held: their patterns are found at the end.
        self.patterns: OftenTexts | None = None
        self.n = 0
        self.lengths: tuple[int, int] | None = None
        self.n_letters = 0
        self.least: str | None = None
        self.most: str | None = None
        self.is_increasing = True
        self.is_long = False
        self.start: str | None = None
        self.last: str | None = None

    def add(self, column: "pl.Series") -> None:
        """Take in values without nulls."""
        import polars as pl

        if not len(column):
            return
        nested = None
        if isinstance(column.dtype, pl.List | pl.Array):
            nested = column.list.len() if isinstance(column.dtype, pl.List) else column.arr.len()
        texts = as_texts(column)
        if self._kind == "string":
            self._see_order(texts)
        found = texts.rename("value").value_counts(name="count").with_columns(pl.col("count").cast(pl.Int64))
        if nested is not None:
            self._see_lengths(nested.value_counts(name="count").rename({nested.name: "length"}))
        elif self._kind in ("string", "binary"):
            self._see_lengths(found.select(pl.col("value").str.len_chars().alias("length"), "count"))
        self.n += len(texts)
        self.distinct.add(hashes_of_texts(found["value"]), len(texts))
        self.is_long = self.is_long or int(str(found["value"].str.len_chars().max())) > LONGEST
        self._hold_less(found)
        if self.patterns is not None:
            self.patterns.add(patterns(found))
        if not self.is_long:
            self.often.add(found)

    def merge(self, other: "TextsSeen") -> None:
        """Take in what another has seen of rows further down."""
        self.is_long = self.is_long or other.is_long
        held = other.often.all()
        self._hold_less(held, is_less=other.patterns is not None)
        if self.patterns is not None:
            self.patterns.merge(other.patterns or _shapes(held))
        if not self.is_long:
            self.often.merge(other.often)
        self.distinct.merge(other.distinct)
        self.n += other.n
        self.n_letters += other.n_letters
        spans = [one for one in (self.lengths, other.lengths) if one is not None]
        self.lengths = (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
        meets = self.last is None or other.start is None or self.last <= other.start
        self.is_increasing &= other.is_increasing and meets
        self.start = other.start if self.start is None else self.start
        self.last = self.last if other.last is None else other.last
        self._see_ends([other.least, other.most])

    def described(self, column: ColumnProfile) -> ColumnProfile:
        """The column with what is known of its values now."""
        n, error = self.distinct.count()
        is_text = self._kind == "string"
        shapes = patterns(self.often.all()) if self.patterns is None else self.patterns.first(N_PATTERNS)
        return replace(
            column,
            n_distinct=n,
            distinct_error=error,
            minimum=self.least if is_text and not self.is_long else None,
            maximum=self.most if is_text and not self.is_long else None,
            top=() if self.is_long else _counted(self.often.first(TOP), is_whole=self.often.is_whole),
            lengths=Lengths(minimum=self.lengths[0], maximum=self.lengths[1], mean=self.n_letters / self.n)
            if self.lengths is not None
            else None,
            patterns=_counted(shapes.head(N_PATTERNS), is_whole=True) if is_text else (),
            is_increasing=is_text and self.is_increasing and n > 1,
        )

    def _hold_less(self, more: "pl.DataFrame", *, is_less: bool = False) -> None:
        """When with more texts not all are held any longer, their shapes are counted from now on."""
        is_less = is_less or self.is_long or self.often.would_lose(more)
        if is_less and self.patterns is None and self._kind == "string":
            self.patterns = _shapes(self.often.all())
        if self.is_long and self.often.n_held:
            self.often = OftenTexts(self.often.most)

    def _see_order(self, texts: "pl.Series") -> None:
        first, last = str(texts[0]), str(texts[-1])
        meets = self.last is None or self.last <= first
        self.is_increasing = self.is_increasing and meets and first <= last and texts.is_sorted()
        self.start = first if self.start is None else self.start
        self.last = last
        self._see_ends([texts.min(), texts.max()])

    def _see_ends(self, ends: "list[object]") -> None:
        known = [str(one) for one in (self.least, self.most, *ends) if one is not None]
        if known:
            self.least, self.most = min(known), max(known)

    def _see_lengths(self, found: "pl.DataFrame") -> None:
        low, high, total = found.select(
            low=found["length"].min(), high=found["length"].max(), total=(found["length"] * found["count"]).sum()
        ).row(0)
        self.n_letters += int(total)
        before = self.lengths or (low, high)
        self.lengths = (min(before[0], low), max(before[1], high))


def as_texts(column: "pl.Series") -> "pl.Series":
    """Values of any type as texts: bytes in hexadecimal digits, lists and structs in JSON."""
    import polars as pl

    kind = column.dtype
    if isinstance(kind, pl.String):
        return column
    if isinstance(kind, pl.Binary):
        return column.bin.encode("hex")
    if isinstance(kind, pl.List | pl.Array | pl.Struct):
        if isinstance(kind, pl.Struct):
            return column.struct.json_encode()
        wrapped = column.rename("v").to_frame().select(pl.struct("v").struct.json_encode())
        # {"v":[…]}
        return wrapped.to_series().str.slice(5).str.head(-1).rename(column.name)
    return column.cast(pl.String, strict=False)


def patterns(found: "pl.DataFrame") -> "pl.DataFrame":
    """The shapes of texts (of their first 80 letters), and how often each is there."""
    import polars as pl

    shape = pl.col("value").str.head(_PATTERN_LETTERS)
    for letters, sign in ((r"\p{Lu}", "A"), (r"\p{Ll}", "a"), (r"\p{Nd}", "9")):
        shape = shape.str.replace_all(letters, sign)
    return _joined(found.select(shape.alias("value"), "count"))


def _shapes(found: "pl.DataFrame") -> OftenTexts:
    held = OftenTexts(_PATTERNS_HELD)
    held.add(patterns(found))
    return held


def _joined(found: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    whole = found.group_by("value").agg(pl.col("count").sum())
    return whole.sort(["count", "value"], descending=[True, False])


def _counted(found: "pl.DataFrame", *, is_whole: bool) -> tuple[Counted, ...]:
    return tuple(
        Counted(value=value, count=count)
        for value, count in found.select("value", "count").rows()
        if is_whole or count > 1
    )
