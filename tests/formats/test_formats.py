"""Telling what a model's file is, and who may have it loaded."""

import gzip
import importlib
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway import formats
from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.errors import FileMissing, ModelUnreadable, ModelUntrusted

RULE = "def predict(rows):\n    return [row['x'] > 1 for row in rows]\n"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def write(path: Path, data: bytes) -> tuple[str, Digest]:
    path.write_bytes(data)
    return str(path), digest_of(data)


@pytest.mark.parametrize("name", formats.known())
def test_each_format_offers_what_a_format_must(name: str) -> None:
    module = importlib.import_module(f"headway.formats.{name}")
    assert module.__doc__
    assert isinstance(module.RUNS_CODE, bool)
    assert module.fits.__doc__
    assert module.load.__doc__
    assert module.fits("no-model.txt", b"hello") is False


@pytest.mark.parametrize(
    ("file", "data", "name"),
    [
        ("model.pkl", pickle.dumps({}), "sklearn"),
        ("model.bin", pickle.dumps({}, protocol=2), "sklearn"),
        ("model.joblib.gz", gzip.compress(b"x"), "sklearn"),
        ("model.py", RULE.encode(), "function"),
    ],
    ids=["pickle", "old-pickle", "compressed", "function"],
)
def test_a_format_is_told_by_first_bytes_and_name(tmp_path: Path, file: str, data: bytes, name: str) -> None:
    path, _ = write(tmp_path / file, data)
    assert formats.detect(path) == name


@pytest.mark.parametrize(
    ("file", "data"),
    [("data.csv.gz", gzip.compress(b"a,b")), ("model.txt", b"hello"), ("empty.py", b""), ("empty.pkl", b"")],
    ids=["compressed-table", "text", "empty-function", "empty-pickle"],
)
def test_what_is_no_model_is_refused_with_the_formats_there_are(tmp_path: Path, file: str, data: bytes) -> None:
    path, _ = write(tmp_path / file, data)
    with pytest.raises(ModelUnreadable) as raised:
        formats.detect(path)
    assert all(name in raised.value.remedy for name in formats.known())


def test_a_folder_is_of_no_format_yet(tmp_path: Path) -> None:
    with pytest.raises(ModelUnreadable):
        formats.detect(str(tmp_path))


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        formats.detect(str(tmp_path / "no.pkl"))
    with pytest.raises(FileMissing):
        formats.load(str(tmp_path / "no.pkl"), format="sklearn", digest=Digest("a"), trusted=())


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    path, digest = write(tmp_path / "m.pkl", pickle.dumps({}))
    with pytest.raises(ModelUnreadable, match="caffe"):
        formats.load(path, format="caffe", digest=digest, trusted={digest})


def test_detecting_and_refusing_run_nothing_of_the_file(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path, digest = write(tmp_path / "m.pkl", pickle.dumps(Bomb(mark)))
    assert formats.detect(path) == "sklearn"
    with pytest.raises(ModelUntrusted, match="would run code"):
        formats.load(path, format="sklearn", digest=digest, trusted=())
    assert not mark.exists()


def test_a_file_that_is_not_the_one_vouched_for_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    good = digest_of(pickle.dumps({}))
    path, _ = write(tmp_path / "m.pkl", pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelUntrusted, match="content is another"):
        formats.load(path, format="sklearn", digest=good, trusted={good})
    assert not mark.exists()


def test_a_function_is_loaded_and_asked(tmp_path: Path) -> None:
    path, digest = write(tmp_path / "m.py", RULE.encode())
    model = formats.load(path, format="function", digest=digest, trusted={digest})
    assert model.predict([{"x": 1}, {"x": 2}]).labels.tolist() == [False, True]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_an_untrusted_pickle_is_refused_with_what_it_names_and_what_is_odd_comes_first(
    tmp_path: Path, protocol: int
) -> None:
    mark = tmp_path / "ran"
    usual = [np.float64(1.0), OrderedDict(a=1)]
    path, digest = write(tmp_path / "m.pkl", pickle.dumps([usual, Bomb(mark)], protocol=protocol))
    with pytest.raises(ModelUntrusted) as raised:
        formats.load(path, format="sklearn", digest=digest, trusted=())
    named = raised.value.problem.partition("it names ")[2]
    assert "pathlib.PosixPath" in named
    assert named.index("pathlib") < named.index("collections.OrderedDict")
    assert not named.startswith(("numpy", "collections"))
    assert not mark.exists()


def test_a_damaged_or_compressed_pickle_is_refused_without_names(tmp_path: Path) -> None:
    for data in (b"\x80\x05junk", gzip.compress(pickle.dumps(OrderedDict()))):
        path, digest = write(tmp_path / "m.pkl", data)
        with pytest.raises(ModelUntrusted, match="registry made"):
            formats.load(path, format="sklearn", digest=digest, trusted=())
