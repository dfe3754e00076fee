"""What machines write: facts of the log with their chain of hashes, and any other value as JSON or MessagePack.

The form of a fact and of the chain is specified in `docs/formats/log.md`. Knows no file and no database.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from blake3 import blake3

from headway.core.facts import Entry, Fact, Row
from headway.core.ids import Digest
from headway.errors import LogDamaged, LogNewer, LogTrouble

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)

GENESIS = "0" * 64
"""The hash that stands before the first fact."""


def digest_of(data: bytes) -> Digest:
    """The name of some content: its BLAKE3, 64 hexadecimal digits.

    >>> digest_of(b"")[:12]
    'af1349b9f5f9'
    """
    return Digest(blake3(data).hexdigest())


def digest_of_all(values: Iterable[object]) -> Digest:
    """The name of several values together, each as `encode` writes it, in their order."""
    hasher = blake3()
    for value in values:
        hasher.update(encode(value))
    return Digest(hasher.hexdigest())


def encode_fact(fact: Fact) -> bytes:
    """The body of a fact: JSON, keys in the order of the type, defaults left out.

    Raises LogTrouble for a fact that could not be read again: a number in it is not finite, a text is not Unicode.
    """
    try:
        body = _encoder.encode(fact)
    except UnicodeEncodeError as e:
        raise _unwritable(fact, f"{e.object[:40]!r} is no text") from e
    # JSON has no word for a number that is not finite; it would stand there as null.
    if b"null" in body and not _is_same(body, fact):
        raise _unwritable(fact, "a number in it is not finite")
    return body


def _is_same(body: bytes, fact: Fact) -> bool:
    try:
        return _decoder.decode(body) == fact
    except msgspec.ValidationError:
        return False


def _unwritable(fact: Fact, what: str) -> LogTrouble:
    return LogTrouble(
        f"the fact cannot be written: {what}", at=f"log: {type(fact).__name__}", remedy="mend what reported it"
    )


def decode_fact(body: bytes, *, seq: int) -> Fact:
    """Read a body again. Raises LogNewer for a kind this version does not know, LogDamaged for anything else."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as e:
        if "Invalid value" in str(e) and "$.kind" in str(e):
            raise LogNewer(
                "the log holds a kind of fact that this version does not know",
                at=f"log: fact {seq}",
                remedy="install the version of headway that wrote it, or a newer one",
            ) from e
        raise _damaged(seq, str(e)) from e
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise _damaged(seq, str(e)) from e


def _damaged(seq: int, what: str) -> LogDamaged:
    return LogDamaged(
        f"fact {seq} of the log cannot be read: {what}",
        at=f"log: fact {seq}",
        remedy="`headway audit` says how far the log is whole; restore it from a copy, or move it away to begin anew",
    )


def chain(before: str, *, seq: int, stream: str, n: int, at: float, body: bytes) -> str:
    """The hash of a fact, which covers the one before it, its place, its time and its body.

    Place and time are written as `seq`, newline, `stream`, newline, `n`, newline, `at` as JSON, newline.
    """
    head = f"{before}\n{seq}\n{stream}\n{n}\n{_encoder.encode(at).decode()}\n".encode()
    return blake3(head + body).hexdigest()


def verify(rows: Iterable[Row], *, after_seq: int = 0, before: str = GENESIS) -> tuple[int, str]:
    """See that rows follow each other without a gap and carry the hashes they must; the last one's number and hash.

    `after_seq` and `before` are number and hash of the row that stands before the first. Raises LogDamaged at the
    first row that does not fit: it was changed, or something before it was taken out or put in.
    """
    for row in rows:
        if row.seq != after_seq + 1:
            raise _broken(after_seq + 1, "is missing")
        hash_ = chain(before, seq=row.seq, stream=row.stream, n=row.n, at=row.at, body=row.body)
        if row.hash != hash_:
            raise _broken(row.seq, "does not have the hash it must have")
        after_seq, before = row.seq, hash_
    return after_seq, before


def _broken(seq: int, what: str) -> LogDamaged:
    return LogDamaged(
        f"fact {seq} of the log {what}: the log was changed after it was written",
        at=f"log: fact {seq}",
        remedy="restore the log from a copy; facts before this one are whole",
    )


def entry_of(row: Row) -> Entry:
    """Decode one row of the log. Raises as `decode_fact`."""
    return Entry(
        seq=row.seq, stream=row.stream, n=row.n, at=row.at, fact=decode_fact(row.body, seq=row.seq), hash=row.hash
    )


# Any: whatever msgspec can encode; the caller names the type again when it decodes.
def encode(value: Any) -> bytes:  # noqa: ANN401 (as above)
    """Any value of the house as JSON."""
    return _encoder.encode(value)


def pack(value: Any) -> bytes:  # noqa: ANN401 (as above)
    """Any value of the house as MessagePack: smaller and quicker, for files nobody reads by hand."""
    return msgspec.msgpack.encode(value)


def unpack(data: bytes, kind: type[T]) -> T:
    """Read what `pack` wrote. Raises ValueError (msgspec's) when it is something else."""
    return msgspec.msgpack.decode(data, type=kind)
