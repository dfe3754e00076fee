"""Cuts a large file into chunks by its content, so that a small change of it changes few of them.

The cut rule is FastCDC 2020 (Xia et al., IEEE TPDS 31, 2017-2031) with the sizes below. It is part of the store's
format: another rule would find nothing of what is stored already. `tests/codec/test_chunks.py` holds it to known cuts.
Neighbour: `codec/pack` is where chunks are kept. Knows no file and no store.
"""

from collections.abc import Callable, Iterator

MIN_BYTES = 16 << 10
MEAN_BYTES = 64 << 10
"""What the rule aims at behind the minimum: chunks have 80 KiB on average."""

MAX_BYTES = 256 << 10
"""A blob that is no larger is one piece."""

_BLOCK = 1 << 20
"""Bytes read at a time. What else is done with them finds them in the processor's cache: of 8 MiB it would not."""


def cut(readinto: Callable[[memoryview], int]) -> Iterator[memoryview]:
    """The chunks of a stream, in order; each is valid until the next is asked for. Memory: 1.3 MiB.

    `readinto` fills a buffer as far as it can and returns how much that was; 0 at the end. Nothing gives no chunk. It
    is asked for whole MiB of the stream where it can give them, so that it may well hash or write what it reads.

    >>> from io import BytesIO
    >>> [len(chunk) for chunk in cut(BytesIO(b"abc").readinto)]
    [3]
    """
    from pyfastcdc import FastCDC

    rule = FastCDC(MEAN_BYTES, min_size=MIN_BYTES, max_size=MAX_BYTES)
    buffer = memoryview(bytearray(MAX_BYTES + _BLOCK))
    kept, is_over = 0, False
    while not is_over:
        filled, full = kept, kept + _BLOCK
        while filled < full and not is_over:
            n = readinto(buffer[filled:full])
            is_over = n == 0
            filled += n
        start = 0
        # The last one goes on in what has not been read yet, unless there is nothing more.
        for chunk in rule.cut_buf(buffer[:filled]):
            end = start + chunk.length
            if end == filled and not is_over:
                break
            yield buffer[start:end]
            start = end
        kept = filled - start
        buffer[:kept] = bytes(buffer[start:filled])
