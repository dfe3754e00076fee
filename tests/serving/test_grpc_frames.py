"""Frames of HTTP/2 before they are whole."""

from hypothesis import given
from hypothesis import strategies as st

from headway.serving.grpc_frames import PREFACE_BYTES, Frames


def frame(kind: int, length: int) -> bytes:
    return length.to_bytes(3, "big") + bytes([kind]) + bytes(5) + bytes(length)


PARTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=8)


@given(PARTS, st.integers(1, 40))
def test_bytes_are_counted_however_they_are_cut(parts: list[tuple[int, int]], size: int) -> None:
    sent = bytes(PREFACE_BYTES) + b"".join(frame(*part) for part in parts)
    frames = Frames(60)
    told = [frames.walk(sent[at : at + size]) for at in range(0, len(sent), size)]
    other = PREFACE_BYTES + sum(9 + (length if kind else 0) for kind, length in parts)
    assert sum(n for n in told if n is not None) == other
    assert None not in told


def test_a_frame_that_says_it_is_too_long_is_told_by_its_head() -> None:
    frames = Frames(60)
    assert frames.walk(bytes(PREFACE_BYTES)) == PREFACE_BYTES
    assert frames.walk(frame(0, 61)[:8]) == 8
    assert frames.walk(frame(0, 61)[8:9]) is None
