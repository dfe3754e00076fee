"""Facts to bytes and back, and the chain that shows a change."""

from contextlib import suppress

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from headway.backends.log_memory import MemoryLog
from headway.codec import wire
from headway.core import facts as f
from headway.core.facts import Row
from headway.errors import LogDamaged, LogNewer, LogTrouble
from headway.testing import strategies


@given(strategies.facts)
def test_a_fact_comes_back_from_its_bytes(fact: f.Fact) -> None:
    body = wire.encode_fact(fact)
    assert wire.decode_fact(body, seq=1) == fact
    assert wire.encode_fact(wire.decode_fact(body, seq=1)) == body


def test_a_body_is_json_in_the_order_of_the_type_without_defaults() -> None:
    fact = f.StepFinished(step="train", outcome="passed", seconds=1.5, metrics=(f.Metric(name="auc", value=0.75),))
    assert wire.encode_fact(fact) == (
        b'{"kind":"StepFinished","step":"train","outcome":"passed","seconds":1.5,'
        b'"metrics":[{"name":"auc","value":0.75}]}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_a_number_that_could_not_be_read_again_is_not_written(value: float) -> None:
    with pytest.raises(LogTrouble, match="not finite"):
        wire.encode_fact(f.StepFinished(step="s", outcome="passed", metrics=(f.Metric(name="loss", value=value),)))


def test_none_among_the_params_is_no_trouble() -> None:
    fact = f.StepSkipped(step="null", why='"null"')
    assert wire.decode_fact(wire.encode_fact(fact), seq=1) == fact


def test_text_that_is_not_unicode_is_not_written() -> None:
    with pytest.raises(LogTrouble, match="is no text"):
        wire.encode_fact(f.StepStarted(step="\udcff"))


@given(strategies.facts, st.data())
def test_a_damaged_byte_never_ends_in_anything_but_the_errors_of_a_log(fact: f.Fact, data: st.DataObject) -> None:
    body = bytearray(wire.encode_fact(fact))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(LogDamaged, LogNewer):
        wire.decode_fact(bytes(body), seq=1)


def test_a_kind_of_a_later_version_is_told_apart_from_damage() -> None:
    with pytest.raises(LogNewer) as newer:
        wire.decode_fact(b'{"kind":"DriftFound","monitor":"live"}', seq=7)
    assert newer.value.at == "log: fact 7"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"step":"s"}',
        b'{"kind":"StepStarted"}',
        b'{"kind":7}',
        b'{"kind":"StepStarted","step":1}',
        b'{"kind":"StepFinished","step":"s","outcome":"splendid"}',
    ],
    ids=repr,
)
def test_a_damaged_body_is_told_with_its_place(body: bytes) -> None:
    with pytest.raises(LogDamaged, match="fact 7") as damaged:
        wire.decode_fact(body, seq=7)
    assert damaged.value.at == "log: fact 7"


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert wire.decode_fact(b'{"kind":"StepStarted","step":"s","colour":"red"}', seq=1) == f.StepStarted(step="s")


def test_a_hash_is_that_of_the_specification() -> None:
    body = b'{"kind":"StepStarted","step":"train"}'
    text = b"0" * 64 + b"\n1\nrun/1\n1\n1700000000.25\n" + body
    found = wire.chain(wire.GENESIS, seq=1, stream="run/1", n=1, at=1700000000.25, body=body)
    assert found == blake3(text).hexdigest()


def _rows(n: int) -> list[Row]:
    log = MemoryLog()
    for i in range(n):
        log.append(f"run/{i % 2}", [f.StepStarted(step=str(i))], expect=i // 2, at=float(i))
    return list(log.raw())


def test_a_whole_chain_is_verified_to_its_end() -> None:
    rows = _rows(5)
    assert wire.verify([]) == (0, wire.GENESIS)
    assert wire.verify(rows) == (5, rows[-1].hash)
    assert wire.verify(rows[3:], after_seq=3, before=rows[2].hash) == (5, rows[-1].hash)


@given(st.integers(0, 4), st.sampled_from(["seq", "stream", "n", "at", "body", "hash"]))
def test_any_change_of_any_row_is_found_where_it_is(i: int, field: str) -> None:
    rows = _rows(5)
    row = rows[i]
    other = {"seq": row.seq + 1, "stream": "run/9", "n": row.n + 1, "at": row.at + 1, "body": b"{}", "hash": "0" * 64}
    rows[i] = msgspec.structs.replace(row, **{field: other[field]})
    with pytest.raises(LogDamaged) as damaged:
        wire.verify(rows)
    assert damaged.value.at == f"log: fact {i + 1}"


@given(st.integers(0, 4))
def test_a_row_that_was_taken_out_is_missed(i: int) -> None:
    rows = _rows(6)
    del rows[i]
    with pytest.raises(LogDamaged, match=f"fact {i + 1} of the log is missing"):
        wire.verify(rows)


def test_the_digest_of_content_is_its_blake3() -> None:
    assert wire.digest_of(b"abc") == blake3(b"abc").hexdigest()
    assert len(wire.digest_of(b"")) == 64
