"""What machines write: facts of the log with their chain of hashes, and any other value as JSON or MessagePack.

The form of a fact and of the chain is specified in `docs/formats/log.md`. Knows no file and no database.
"""

import msgspec
from blake3 import blake3

from headway.core.facts import Entry, Fact, Row
from headway.core.ids import Digest
from headway.errors import LogDamaged, LogNewer

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


def encode_fact(fact: Fact) -> bytes:
    """The body of a fact: JSON, keys in the order of the type, defaults left out."""
    return _encoder.encode(fact)


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
    except msgspec.DecodeError as e:
        raise _damaged(seq, str(e)) from e


def _damaged(seq: int, what: str) -> LogDamaged:
    return LogDamaged(
        f"fact {seq} of the log cannot be read: {what}",
        at=f"log: fact {seq}",
        remedy="run `headway audit` to see how far the log is whole, then restore it from a copy",
    )


def chain(before: str, *, seq: int, stream: str, n: int, at: float, body: bytes) -> str:
    """The hash of a fact, which covers the one before it, its place, its time and its body.

    Place and time are written as `seq`, newline, `stream`, newline, `n`, newline, `at` as JSON, newline.
    """
    head = f"{before}\n{seq}\n{stream}\n{n}\n{_encoder.encode(at).decode()}\n".encode()
    return blake3(head + body).hexdigest()


def entry_of(row: Row) -> Entry:
    """Decode one row of the log. Raises as `decode_fact`."""
    return Entry(
        seq=row.seq, stream=row.stream, n=row.n, at=row.at, fact=decode_fact(row.body, seq=row.seq), hash=row.hash
    )
