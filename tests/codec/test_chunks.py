"""Chunks: the rule is part of the store's format, so its cuts are held to known ones."""

import random
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.codec import chunks
from headway.codec.wire import digest_of
from tries import tries

NOISE = random.Random(7).randbytes(20 << 20)


def lengths(data: bytes) -> list[int]:
    return [len(chunk) for chunk in chunks.cut(BytesIO(data).readinto)]


def test_the_cuts_are_those_of_the_format() -> None:
    found = lengths(NOISE)
    assert found[:5] == [111090, 67285, 86090, 221300, 99418]
    assert len(found) == 252
    assert (
        digest_of(",".join(map(str, found)).encode())
        == "85d3b5b6272455223f4956045cc39b761f9e9ded40093af63fb9d38cfa1ea9e3"
    )


@pytest.mark.parametrize("size", [0, 1, chunks.MIN_BYTES, chunks.MAX_BYTES, (1 << 20) - 1, 1 << 20, (8 << 20) + 1])
def test_chunks_together_are_what_was_cut(size: int) -> None:
    data = NOISE[:size]
    assert b"".join(bytes(chunk) for chunk in chunks.cut(BytesIO(data).readinto)) == data


def test_no_chunk_is_larger_than_the_largest_and_only_the_last_smaller_than_the_smallest() -> None:
    found = lengths(NOISE)
    assert max(found) <= chunks.MAX_BYTES
    assert min(found[:-1]) >= chunks.MIN_BYTES


def test_zeros_are_cut_at_the_largest() -> None:
    assert set(lengths(bytes(4 * chunks.MAX_BYTES))) == {chunks.MAX_BYTES}


@settings(max_examples=tries(10))
@given(st.integers(1, 1 << 20))
def test_cuts_do_not_depend_on_how_much_is_read_at_once(most: int) -> None:
    class Slow(BytesIO):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # this is all that `cut` hands over
            return super().readinto(buffer[:most])

    # Three of the mebibytes that are read at a time: byte by byte it takes a while.
    assert [len(chunk) for chunk in chunks.cut(Slow(NOISE[: 3 << 20]).readinto)] == lengths(NOISE[: 3 << 20])


def test_a_stream_is_read_in_whole_mebibytes_so_that_it_can_be_hashed_as_it_is_read() -> None:
    stream, asked = BytesIO(NOISE), []

    def readinto(buffer: memoryview) -> int:
        asked.append((stream.tell(), len(buffer)))
        return stream.readinto(buffer)

    assert sum(map(len, chunks.cut(readinto))) == len(NOISE)
    assert asked == [(start, 1 << 20) for start in range(0, len(NOISE) + 1, 1 << 20)]


def test_an_insertion_changes_few_chunks() -> None:
    changed = NOISE[: 10 << 20] + b"inserted" + NOISE[10 << 20 :]
    before = {digest_of(bytes(chunk)) for chunk in chunks.cut(BytesIO(NOISE).readinto)}
    after = [digest_of(bytes(chunk)) for chunk in chunks.cut(BytesIO(changed).readinto)]
    assert sum(digest not in before for digest in after) <= 3
