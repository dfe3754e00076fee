"""Programs of PyTorch: answers equal to those in the process; what is no program is told from what it is."""

import io
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from headway import formats
from headway.codec.wire import digest_of
from headway.core.prediction import LoadedModel, TakesArrays
from headway.core.signature import Field, outputs_of
from headway.errors import DataUnreadable, ExtraMissing, ModelUnreadable, ModelUntrusted

torch = pytest.importorskip("torch", reason="torch is not installed: its format is not tested")

Module: Any = torch.nn.Module
NUMBERS = np.random.default_rng(7).normal(size=(9, 3)).astype(np.float32)
ROWS = [dict(zip("abc", map(float, row), strict=True)) for row in NUMBERS]
NAMES = {"columns": ["a", "b", "c"]}


class Classifier(Module):  # type: ignore[misc] # its types are not looked at
    def __init__(self, width: int, *, is_sure: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.Linear(3, width)
        self.is_sure = is_sure

    def forward(self, x: Any) -> Any:
        y = self.layer(x)
        if self.is_sure:
            return torch.softmax(y, dim=1)
        return y


class Columns(Module):  # type: ignore[misc] # as above
    def forward(self, size: Any, number: Any) -> dict[str, Any]:
        return {"sum": size * 2 + number, "other": number.float()}


def exported(module: Any, folder: Path, said: dict[str, Any], *, is_free: bool = True) -> str:
    path = str(folder / "model.pt2")
    shapes = {"x": {0: torch.export.Dim("n")}} if is_free else None
    program = torch.export.export(module.eval(), (torch.zeros(4, 3),), dynamic_shapes=shapes)
    torch.export.save(program, path, extra_files=extra(said))
    return path


def scripted(module: Any, folder: Path, said: dict[str, Any]) -> str:
    path = str(folder / "model.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module.eval(), torch.zeros(4, 3)), path, _extra_files=extra(said))
    return path


def extra(said: dict[str, Any]) -> dict[str, str]:
    return {f"headway.{k}": v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}


def loaded(path: str, threads: int | None = 1) -> LoadedModel:
    digest = digest_of(Path(path).read_bytes())
    return formats.load(path, format=formats.detect(path), digest=digest, trusted={digest}, threads=threads)


WAYS = [pytest.param(exported, id="exported"), pytest.param(scripted, id="script")]
Save = Callable[..., str]


@pytest.mark.parametrize("save", WAYS)
@pytest.mark.parametrize("is_sure", [True, False], ids=["probabilities", "logits"])
def test_classes_are_answered_as_in_the_process(tmp_path: Path, save: Save, is_sure: bool) -> None:
    module = Classifier(3, is_sure=is_sure)
    said = NAMES | {"classes": ["x", "y", "z"]} | ({} if is_sure else {"output": "logits"})
    model = loaded(save(module, tmp_path, said))
    with torch.no_grad():
        wanted = torch.softmax(module.layer(torch.from_numpy(NUMBERS)), dim=1).numpy()
    for told in (model.predict(ROWS), model.predict(pl.DataFrame(ROWS))):
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, wanted, atol=1e-6)
        assert told.labels.tolist() == np.array(["x", "y", "z"])[wanted.argmax(axis=1)].tolist()
    assert (model.format, model.columns, told.classes, model.notes) == ("torch", ("a", "b", "c"), ("x", "y", "z"), ())
    assert model.signature.inputs == (Field(name="x", kind="FP32", width=3),)
    assert model.signature.outputs == outputs_of(label="BYTES", n_classes=3)
    assert isinstance(model, TakesArrays)
    assert model.predict_arrays({"x": NUMBERS.astype(np.float64)}).labels.tolist() == told.labels.tolist()
    assert model.predict(ROWS[:1]).labels.tolist() == told.labels[:1].tolist()
    assert model.predict([{"c": r["c"], "b": r["b"], "a": r["a"], "z": 1} for r in ROWS]).labels.tolist() == [
        *told.labels
    ]


@pytest.mark.parametrize("save", WAYS)
@pytest.mark.parametrize("width", [1, 2], ids=["one-number", "two-numbers"])
def test_numbers_are_foretold_as_in_the_process(tmp_path: Path, save: Save, width: int) -> None:
    module = Classifier(width, is_sure=False)
    model = loaded(save(module, tmp_path, {}))
    told = model.predict(ROWS)
    with torch.no_grad():
        wanted = module(torch.from_numpy(NUMBERS)).numpy()
    np.testing.assert_allclose(told.labels, wanted[:, 0] if width == 1 else wanted, atol=1e-6)
    assert (told.probabilities, told.classes, model.columns) == (None, (), ())
    if save is exported:
        assert model.signature.outputs == outputs_of(label="FP32")
        with pytest.raises(DataUnreadable, match="trained on 3 columns"):
            model.predict([{"a": 1.0}])


@pytest.mark.parametrize("save", WAYS)
def test_one_number_a_row_tells_the_second_of_two_classes(tmp_path: Path, save: Save) -> None:
    module = Classifier(1, is_sure=False)
    model = loaded(save(module, tmp_path, NAMES | {"classes": [False, True], "output": "logits"}))
    told = model.predict(ROWS)
    with torch.no_grad():
        wanted = torch.sigmoid(module(torch.from_numpy(NUMBERS)))[:, 0].numpy()
    assert told.probabilities is not None
    np.testing.assert_allclose(told.probabilities[:, 1], wanted, atol=1e-6)
    assert told.labels.tolist() == (wanted > 0.5).tolist()
    assert model.signature.outputs[0].kind == "BOOL"


def test_columns_go_by_name_and_in_their_kinds(tmp_path: Path) -> None:
    n = torch.export.Dim("n")
    program = torch.export.export(
        Columns(),
        (torch.zeros(4), torch.zeros(4, dtype=torch.int64)),
        dynamic_shapes={"size": {0: n}, "number": {0: n}},
    )
    path = str(tmp_path / "blob")
    torch.export.save(program, str(tmp_path / "m.pt2"))
    (tmp_path / "m.pt2").rename(path)
    model = loaded(path)
    assert model.signature.inputs == (Field(name="size", kind="FP32"), Field(name="number", kind="INT64"))
    rows = [{"number": 3, "size": 0.5}, {"number": 1, "size": 2.0}]
    assert model.predict(rows).labels.tolist() == [4.0, 5.0]
    with pytest.raises(DataUnreadable, match="number has a gap"):
        model.predict([{"number": None, "size": 0.5}])
    with pytest.raises(DataUnreadable, match="lacks 1 column"):
        model.predict([{"size": 0.5}])


def test_a_program_for_so_many_rows_is_asked_so_many_at_a_time(tmp_path: Path) -> None:
    module = Classifier(2, is_sure=True)
    model = loaded(exported(module, tmp_path, {"classes": [0, 1]}, is_free=False))
    assert "exported for 4 rows" in model.notes[0]
    with torch.no_grad():
        wanted = module(torch.from_numpy(NUMBERS)).numpy()
    for n in (1, 4, 9):
        told = model.predict(ROWS[:n])
        assert told.probabilities is not None
        np.testing.assert_allclose(told.probabilities, wanted[:n], atol=1e-6)


def test_pictures_are_taken_flat(tmp_path: Path) -> None:
    class Mean(Module):  # type: ignore[misc] # as above
        def forward(self, x: Any) -> Any:
            return x.mean(dim=(1, 2))

    path = str(tmp_path / "m.pt2")
    shapes = {"x": {0: torch.export.Dim("n")}}
    torch.export.save(torch.export.export(Mean(), (torch.zeros(4, 2, 2),), dynamic_shapes=shapes), path)
    model = loaded(path)
    assert model.signature.inputs == (Field(name="x", kind="FP32", width=4),)
    assert isinstance(model, TakesArrays)
    assert model.predict_arrays({"x": np.array([[1.0, 2.0, 3.0, 6.0]])}).labels.tolist() == [3.0]
    with pytest.raises(DataUnreadable, match=r"takes \[2, 2\] numbers a row"):
        model.predict_arrays({"x": np.zeros((2, 3))})


@pytest.mark.parametrize("save", WAYS)
def test_classes_that_do_not_fit_are_left_out_with_a_note(tmp_path: Path, save: Save) -> None:
    for said, why in (({"classes": [0, 1]}, "no probabilities"), ({"classes": [0, 1, 2]}, "2 numbers a row")):
        model = loaded(save(Classifier(2, is_sure=False), tmp_path, NAMES | said))
        told = model.predict(ROWS)
        assert (told.probabilities, told.labels.shape) == (None, (9, 2))
        assert why in model.notes[0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"columns": "abc"}, "is no JSON"),
        ({"columns": [1, 2]}, "cannot be used"),
        ({"columns": ["a"]}, "takes 3 values a row"),
        ({"output": "odds"}, "says 'odds'"),
    ],
    ids=["no-json", "no-names", "too-few", "unknown-output"],
)
def test_extra_files_that_do_not_fit_are_refused(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    with pytest.raises(ModelUnreadable, match=why):
        loaded(exported(Classifier(2, is_sure=True), tmp_path, said))


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "old"])
@pytest.mark.parametrize("name", ["model.pt", "model.pth", "blob"])
def test_what_torch_save_wrote_is_told_for_what_it_is(tmp_path: Path, is_archive: bool, name: str) -> None:
    module = Classifier(2, is_sure=True)
    for what, why in ((module, r"pickle of .*Classifier"), (module.state_dict(), "weights by `torch.save`")):
        data = io.BytesIO()
        torch.save(what, data, _use_new_zipfile_serialization=is_archive)
        (tmp_path / name).write_bytes(data.getvalue())
        with pytest.raises(ModelUnreadable, match=why) as raised:
            formats.detect(str(tmp_path / name))
        assert "torch.export" in raised.value.remedy


def test_a_program_is_code_and_needs_trust(tmp_path: Path) -> None:
    path = exported(Classifier(2, is_sure=True), tmp_path, {})
    with pytest.raises(ModelUntrusted):
        formats.load(path, format="torch", digest=digest_of(Path(path).read_bytes()), trusted=())


def test_threads_are_told(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        loaded(exported(Classifier(2, is_sure=True), tmp_path, {}), threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("save", WAYS)
def test_damaged_files_are_refused_in_words_and_never_crash(tmp_path: Path, save: Save) -> None:
    path = Path(save(Classifier(2, is_sure=True), tmp_path, NAMES))
    whole = path.read_bytes()
    answers = loaded(str(path)).predict(ROWS).labels.tolist()
    rng = np.random.default_rng(2)
    for n in range(40):
        data = bytearray(whole[: rng.integers(5, len(whole))] if n % 2 else whole)
        for at in rng.integers(4, len(data), 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            told = loaded(str(path)).predict(ROWS).labels.tolist()
        except ModelUnreadable:
            continue
        # Bits flipped where nobody reads.
        assert told == answers
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelUnreadable, match="torch cannot load"):
        loaded(str(path))


def test_without_the_library_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = exported(Classifier(2, is_sure=True), tmp_path, {})
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ExtraMissing) as raised:
        loaded(path)
    assert "headway[torch]" in raised.value.remedy
