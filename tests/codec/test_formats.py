"""What docs/formats says, byte for byte, is what the code does."""

import ast
import os
import re
import sqlite3
from contextlib import closing

import msgspec
import numpy as np
import polars as pl
import pytest

from headway.backends import log_sqlite
from headway.codec import lock, wire
from headway.core.facts import Row
from headway.core.kept_answers import KeptAnswers
from headway.core.tree import PASSED_OVER, TreeFile, TreeFolder, TreeLink, decode_tree, encode_tree, tree_of
from headway.flows import listing, statcache
from headway.stats.answers import Answers
from headway.tables import kept_answers

FORMATS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "formats")


def _page(name: str) -> str:
    with open(os.path.join(FORMATS, name), encoding="utf-8") as f:
        return f.read()


def _block(page: str, language: str) -> str:
    """The text of the page's one fenced block of a language."""
    return page.split(f"```{language}\n")[1].split("```", maxsplit=1)[0]


LOG, STORE, LOCK = _page("log.md"), _page("store.md"), _page("lock.md")


def _rows() -> list[Row]:
    rows = []
    for line in _block(LOG, "rows").splitlines():
        seq, stream, n, at, kind, key, rest = line.split("|", 6)
        body, _, hash_ = rest.rpartition("|")
        rows.append(
            Row(
                seq=int(seq),
                stream=stream,
                n=int(n),
                at=float(at),
                kind=kind,
                key=key or None,
                body=body.encode(),
                hash=hash_,
            )
        )
    return rows


def test_the_rows_of_the_example_have_the_hashes_they_must_have() -> None:
    assert wire.verify(_rows())[0] == 3


def test_the_bodies_of_the_example_are_what_would_be_written() -> None:
    for row in _rows():
        assert wire.encode_fact(wire.entry_of(row).fact) == row.body


def test_the_bytes_behind_the_first_hash_are_those_shown() -> None:
    text = _block(LOG, "hashed").rstrip("\n").encode()
    assert wire.digest_of(text) == _rows()[0].hash
    assert f"these {len(text)} bytes" in LOG


def test_the_table_is_the_one_that_is_made(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "log.sqlite")
    log_sqlite.SqliteLog(path).close()
    with closing(sqlite3.connect(path)) as made, made, closing(sqlite3.connect(":memory:")) as told, told:
        told.executescript(_block(LOG, "sql"))
        query = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index') ORDER BY name"
        assert made.execute(query).fetchall() == told.execute(query).fetchall()
    made.close()
    told.close()
    assert f"0x{log_sqlite.file.APPLICATION:x}" in LOG
    assert f"is the version of this form: {log_sqlite.file.VERSION}." in LOG


def test_the_digests_of_the_example_are_right() -> None:
    for line in _block(STORE, "blobs").splitlines():
        text, _, name = line.rpartition(" ")
        assert wire.digest_of(ast.literal_eval(text).encode()) == name


def test_the_tree_of_the_example_is_what_would_be_written() -> None:
    data = _block(STORE, "tree").encode()
    tree = decode_tree(data)
    assert encode_tree(tree) == data
    assert [type(entry) for entry in tree.entries] == [TreeFile, TreeLink, TreeFolder, TreeFile]
    assert f"This tree of {len(data)} bytes has the digest `{wire.digest_of(data)}`" in STORE


@pytest.mark.parametrize("name", sorted(PASSED_OVER))
def test_what_is_passed_over_is_told(name: str) -> None:
    assert f"`{name}`" in STORE


def test_the_memory_of_the_workspace_is_as_told(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "stat")
    cache = statcache.StatCache(path)
    status = os.stat(tmp_path)
    cache.put("data/a.csv", listing.look_of(status), wire.digest_of(b""), read_ns=2**62)
    cache.save()
    with open(path, "rb") as f:
        data = f.read()
    assert data[:15] == b"headway-stat 2\n"
    assert data[15:47].hex() == wire.digest_of(data[47:])
    known = msgspec.msgpack.decode(data[47:], type=dict[bytes, bytes])
    assert list(known) == [b"data/a.csv"]
    numbers = status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    assert known[b"data/a.csv"][:40] == b"".join(number.to_bytes(8, "little") for number in numbers)
    assert known[b"data/a.csv"][40:].hex() == wire.digest_of(b"")
    assert f"less than {statcache.RACY_NS // 10**6} ms" in STORE


def test_json_is_escaped_no_more_than_told() -> None:
    every = "".join(map(chr, range(0x300)))
    text = encode_tree(tree_of([TreeFolder(every[1:])]))
    escaped = {chr(i): f"\\u{i:04x}" for i in range(0x20)}
    escaped |= {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\", "%": "%25"}
    assert text.splitlines()[1].decode() == '["dir","' + "".join(escaped.get(c, c) for c in every[1:]) + '"]'


def test_the_lock_of_the_example_is_what_would_be_written() -> None:
    data = _block(LOCK, "yaml").encode()
    read = lock.parse(data)
    assert lock.render(read) == data
    assert sorted(read.artifacts()) == ["data/images", "data/training.csv", "models/model.pkl", "tools/clean"]
    assert (read.data["training"].version, read.data["training"].source) == (7, "s3://bucket/events/*.csv")


def test_the_kept_answers_of_the_example_are_what_would_be_written() -> None:
    rows = pl.DataFrame({"age": [44, None], "plan": ["b", "a"]})
    chances = np.array([[0.2, 0.8], [0.7, 0.3]])
    answers = Answers(labels=np.array([1, 0]), classes=(0, 1), probabilities=chances)
    written = kept_answers.keep(rows, answers, by="register")
    assert written == _block(_page("answers.md"), "json").strip().encode()
    assert f"At most {kept_answers.MOST_ROWS} rows" in _page("answers.md")
    assert set(re.findall(r"`(\w+)`", _page("answers.md"))) >= set(KeptAnswers.__struct_fields__)
