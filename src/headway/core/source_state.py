"""What data that lie outside are like, in a word that is another when they changed. Knows no place."""

from msgspec import Struct


class SourceState(Struct, frozen=True, kw_only=True):
    """The state of a place: `key` is another when what is there changed.

    `n_things` are the objects or files, of a database the rows of the answer. `number` is the answer's first value, if
    that is a whole number.
    """

    key: str
    n_things: int
    number: int | None = None
