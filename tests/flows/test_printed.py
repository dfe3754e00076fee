"""What steps print, as numbered lines: as by reading all of it, whatever its size, its lines and its blocks."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.flows import printed
from headway.flows.printed import Ends, Line, Printed


def of(data: bytes, ends: Ends | None = None, size: int | None = None) -> Printed:
    return Printed(lambda at, n: data[at : at + n], len(data) if size is None else size, ends or Ends())


def split(data: bytes) -> list[str]:
    lines = data.decode().split("\n")
    return lines[:-1] if lines[-1] == "" else lines


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that each case has several."""
    monkeypatch.setattr(printed, "BLOCK", 64)
    monkeypatch.setattr(printed, "AT_ONCE", 3)
    monkeypatch.setattr(printed, "LINE_BYTES", 64)


TEXTS = st.lists(st.text("abcé \t", max_size=30), max_size=60)


@given(TEXTS, st.booleans(), st.integers(1, 70), st.integers(1, 20))
def test_any_lines_are_those_of_the_whole(texts: list[str], has_end: bool, first: int, most: int) -> None:
    data = ("\n".join(texts) + "\n" * has_end).encode()
    seen = of(data)
    wanted = split(data)
    assert seen.n_lines == len(wanted)
    told = seen.lines(first, most)
    assert [(line.number, line.text) for line in told] == list(enumerate(wanted, 1))[first - 1 : first - 1 + most]


@given(TEXTS, st.lists(st.integers(0, 2000), max_size=5))
def test_a_file_that_grows_is_read_on_from_where_it_was(texts: list[str], sizes: list[int]) -> None:
    data = "\n".join(texts).encode()
    ends = Ends()
    for size in sorted(min(size, len(data)) for size in sizes):
        cut = data[:size].decode("utf-8", "replace")
        assert of(data, ends, size).n_lines == len(split(cut.encode()))
    whole = of(data, ends)
    assert [line.text for line in whole.lines(1, 1000) if not line.more_bytes] == [
        text for text in split(data) if len(text.encode()) <= printed.LINE_BYTES
    ]


def test_what_another_saw_further_is_there() -> None:
    data, ends = b"one\ntwo\nthree\n", Ends()
    of(data, ends)
    assert of(data, ends, 4).n_lines == 3


@given(TEXTS, st.sampled_from(["a", "ab", "A", "é", "nowhere"]), st.integers(1, 40))
def test_a_search_finds_what_is_there(texts: list[str], words: str, first: int) -> None:
    data = "\n".join(texts).encode()
    found = of(data).find(words, first, most=1000, seconds=60)
    wanted = [n for n, text in enumerate(split(data), 1) if n >= first and words in text]
    assert [hit.number for hit in found.hits] == wanted
    assert found.next == 0


def test_small_letters_find_capitals_and_capitals_only_themselves() -> None:
    seen = of(b"Error\nerror\nERROR\n")
    assert [hit.number for hit in seen.find("error", 1).hits] == [1, 2, 3]
    assert [hit.number for hit in seen.find("ERROR", 1).hits] == [3]


def test_a_search_goes_on_from_where_it_stopped() -> None:
    data = b"".join(b"hit %d\n" % n if n % 3 else b"other\n" for n in range(1, 400))
    numbers, first = [], 1
    while first:
        found = of(data).find("hit", first, most=7)
        numbers += [hit.number for hit in found.hits]
        assert len(found.hits) <= 7
        first = found.next
    assert numbers == [n for n in range(1, 400) if n % 3]
    slow = of(data).find("hit", 1, seconds=-1)
    assert (slow.hits, slow.next) == ((), 1)


def test_of_a_long_line_the_beginning_is_shown_and_the_rest_is_counted() -> None:
    data = b"first\n" + b"x" * 1000 + b"needle" + b"y" * 1000 + b"\nlast"
    seen = of(data)
    assert seen.lines(1, 9) == (
        Line(number=1, text="first"),
        Line(number=2, text="x" * 64, more_bytes=2006 - 64),
        Line(number=3, text="last"),
    )
    (hit,) = seen.find("needle", 1).hits
    assert (hit.number, "needle" in hit.text, len(hit.text) <= 600) == (2, True, True)


def test_of_a_progress_bar_the_end_is_shown() -> None:
    bar = b"\r".join(b"%d %%" % n for n in range(101))
    assert [line.text for line in of(b"begin\r\n" + bar + b"\r\nend\n").lines(1, 9)] == ["begin", "100 %", "end"]


def test_colours_go_on_from_line_to_line_and_noise_is_left_out() -> None:
    one, two, three = of(b"\x1b[31mred\nstill\x1b[0m not\n\x1b[2J\x1b]0;title\x07plain\xff\n").lines(1, 3)
    assert [(span.text, span.look) for span in one.spans] == [("red", "ink-1")]
    assert [(span.text, span.look) for span in two.spans] == [("still", "ink-1"), (" not", "")]
    assert (three.text, three.spans) == ("plain\ufffd", ())


def test_a_file_that_goes_into_the_store_meanwhile_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    seen = Printed(lambda at, n: printed._of_file(str(path), at, n), 8, Ends())
    path.unlink()
    assert seen.lines(1, 5) == ()


def test_what_goes_while_it_is_counted_is_counted_as_far_as_it_was_there() -> None:
    data, ends = b"line\n" * 300, Ends()
    gone = Printed(lambda at, n: data[at : min(at + n, 700)], len(data), ends)
    assert (gone.n_lines, gone.n_bytes) == (140, 700)
    # Whoever has it whole then reads on from there.
    assert of(data, ends).n_lines == 300
    assert [line.number for line in of(data, ends).lines(298, 9)] == [298, 299, 300]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1000])
def test_bytes_of_any_kind_are_lines(size: int) -> None:
    data = random.Random(size).randbytes(size)
    seen = of(data)
    assert seen.n_lines == data.count(b"\n") + (size > 0 and not data.endswith(b"\n"))
    assert [line.number for line in seen.lines(1, 2000)] == list(range(1, seen.n_lines + 1))
