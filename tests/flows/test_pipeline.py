"""The compiled copy of a pipeline: used when nothing changed, never believed when anything did."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.core.pipeline import Pipeline
from headway.errors import FileFaulty, FileMissing, NameUnknown, UsageMistaken
from headway.flows import pipeline
from headway.flows.pipeline import scalar, with_overrides
from tries import tries

TEXT = """\
params: params.yaml
steps:
  - name: Train
    run: python train.py --lr ${{ params.lr }}
    in: train.py
    out: {model: m.pkl}
"""


class Project:
    """A folder with a pipeline; `n_read` counts how often its text was really read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.n_read = 0
        self.write("pipeline.yaml", TEXT)
        self.write("params.yaml", "lr: 0.1\nnet: {depth: 3}\n")

    @property
    def home(self) -> Path:
        return self.folder / ".headway"

    @property
    def copy(self) -> Path:
        return self.home / "cache" / "pipeline"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def read(self, file: str = "pipeline.yaml", given: tuple[str, ...] = (), *, keep: bool = True) -> Pipeline:
        asked = pipeline.Asked(
            folder=str(self.folder), file=file, home=str(self.home), step_types=self._asked, given=given, keep=keep
        )
        return pipeline.read(asked)

    def is_from_copy(self) -> bool:
        before = self.n_read
        self.read()
        return self.n_read == before

    def _asked(self) -> tuple[str, ...]:
        self.n_read += 1
        return ()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_second_reading_takes_the_copy_and_gives_the_same(project: Project) -> None:
    first = project.read()
    assert project.read() == first
    assert project.n_read == 1


def rewritten(project: Project) -> None:
    project.write("pipeline.yaml", TEXT.replace("Train", "Fit"))


def other_params(project: Project) -> None:
    project.write("params.yaml", "lr: 0.2\n")


def gone(project: Project) -> None:
    project.copy.unlink()


def empty(project: Project) -> None:
    project.copy.write_bytes(b"")


def cut_off(project: Project) -> None:
    project.copy.write_bytes(project.copy.read_bytes()[:-1])


def a_folder(project: Project) -> None:
    project.copy.unlink()
    project.copy.mkdir()


@pytest.mark.parametrize("change", [rewritten, other_params, gone, empty, cut_off, a_folder], ids=lambda c: c.__name__)
def test_the_file_is_read_anew_after(change: Callable[[Project], None], project: Project) -> None:
    project.read()
    change(project)
    assert not project.is_from_copy()


def test_another_version_of_headway_reads_the_file_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.read()
    monkeypatch.setattr(pipeline, "__version__", "999")
    assert not project.is_from_copy()
    assert project.is_from_copy()


def test_a_changed_file_gives_the_changed_pipeline(project: Project) -> None:
    project.read()
    rewritten(project)
    assert project.read().steps[0].id == "fit"
    other_params(project)
    assert project.read().params == {"lr": 0.2}


def test_a_params_file_that_went_away_is_a_fault(project: Project) -> None:
    project.read()
    (project.folder / "params.yaml").unlink()
    with pytest.raises(FileFaulty):
        project.read()


@pytest.mark.parametrize(
    ("name", "text", "problems"),
    [
        ("params.json", '{"lr": 1, "seed": 9223372036854775808}', ["seed is 9223372036854775808"]),
        ("params.yaml", "lr: .inf\nnet: {limits: [1, -.inf, .nan]}\n",
         ["lr is inf", "net.limits[1] is -inf", "net.limits[2] is nan"]),
        ("params.toml", "lr = -inf\n", ["lr is -inf"]),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_recorded_is_a_fault(
    name: str, text: str, problems: list[str], project: Project
) -> None:
    project.write("pipeline.yaml", TEXT.replace("params.yaml", name))
    project.write(name, text)
    with pytest.raises(FileFaulty) as caught:
        project.read()
    assert [fault.problem for fault in caught.value.faults] == [f"{name}: {problem}" for problem in problems]


def test_touching_a_file_without_changing_it_changes_nothing(project: Project) -> None:
    project.read()
    os.utime(project.folder / "pipeline.yaml", (1, 1))
    assert project.is_from_copy()


def test_a_copy_of_another_file_is_not_taken(project: Project) -> None:
    project.write("other.yaml", "steps: [{run: a b}]")
    project.read("other.yaml")
    assert project.read().steps[0].id == "train"
    assert project.n_read == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(50))
@given(data=st.data())
def test_a_copy_with_a_flipped_bit_is_not_believed(project: Project, data: st.DataObject) -> None:
    whole = project.read()
    packed = bytearray(project.copy.read_bytes())
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    project.copy.write_bytes(packed)
    assert not project.is_from_copy()
    assert project.read() == whole


def test_where_no_copy_can_be_kept_the_file_is_read_each_time(project: Project) -> None:
    project.home.write_text("in the way")
    assert project.read() == project.read()
    assert project.n_read == 2


def test_the_copy_lies_in_a_folder_that_git_ignores(project: Project) -> None:
    project.read()
    assert (project.home / ".gitignore").read_text() == "*\n"
    assert os.listdir(project.home / "cache") == ["pipeline"]


def test_who_only_looks_leaves_no_copy(project: Project) -> None:
    project.read(keep=False)
    assert not project.home.exists()


def test_faults_leave_no_copy(project: Project) -> None:
    project.write("pipeline.yaml", "stepz: []")
    with pytest.raises(FileFaulty):
        project.read()
    assert not project.copy.exists()


@pytest.mark.parametrize("file", ["other.yaml", "params.yaml/x.yaml", "."])
def test_a_file_that_is_not_there_is_missing(file: str, project: Project) -> None:
    with pytest.raises(FileMissing, match="there is no "):
        project.read(file)


@pytest.mark.parametrize(
    ("file", "name"), [("pipeline.yaml", "pipeline"), ("retrain.yml", "retrain"), ("-.yaml", "pipeline")]
)
def test_a_pipeline_without_a_name_is_called_as_its_file(file: str, name: str, project: Project) -> None:
    project.write(file, "steps: [{run: a b}]")
    assert project.read(file).name == name


# --- overrides --------------------------------------------------------------------------------------------------


def test_a_parameter_of_the_command_line_goes_before_the_file(project: Project) -> None:
    assert with_overrides(project.read(), {"net.depth": "5"}).params == {"lr": 0.1, "net": {"depth": 5}}


def test_no_override_changes_nothing(project: Project) -> None:
    assert with_overrides(project.read(), {}).params == {"lr": 0.1, "net": {"depth": 3}}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("net.dept", "did you mean net.depth?"), ("zzz", "it has lr, net.depth"), ("net", "it has lr, net.depth")],
)
def test_a_parameter_that_the_file_does_not_have_is_refused(name: str, remedy: str, project: Project) -> None:
    with pytest.raises(NameUnknown) as caught:
        with_overrides(project.read(), {name: "1"})
    assert (caught.value.problem, caught.value.remedy) == (f"params.yaml has no parameter {name!r}", remedy)


def test_without_a_params_file_any_parameter_may_be_given(project: Project) -> None:
    project.write("pipeline.yaml", "steps: [{run: a b}]")
    assert with_overrides(project.read(), {"lr": "0.1"}).params == {"lr": 0.1}


def test_an_expression_with_a_param_that_nobody_gives_is_a_fault(project: Project) -> None:
    text = "steps:\n- run: echo hi\n- run: train --lr ${{ params.lr }}\n  in: x\n  params: [depth]\n  tiemout: 3\n"
    project.write("pipeline.yaml", text)
    with pytest.raises(FileFaulty) as caught:
        project.read()
    assert [(f"{f.line}:{f.column}", f.problem, f.remedy) for f in caught.value.faults] == [
        (
            "3:23",
            "there is no `params.lr`: no file of params is named",
            "name one at the top, as in params: params.yaml, or give the value with -p lr=…",
        ),
        (
            "5:12",
            "there is no `params.depth`: no file of params is named",
            "name one at the top, as in params: params.yaml, or give the value with -p depth=…",
        ),
        ("6:3", "the key `tiemout` is not known here", "did you mean `timeout`?"),
    ]


def test_without_a_params_file_what_the_command_line_gives_may_be_used_and_only_then(project: Project) -> None:
    project.write("pipeline.yaml", "steps: [{run: 'train --lr ${{ params.net.lr }}'}]")
    assert with_overrides(project.read(given=("net.lr",)), {"net.lr": "0.1"}).params == {"net": {"lr": 0.1}}
    with pytest.raises(FileFaulty):
        project.read()


SCALARS = {
    "1": 1, "-1.5": -1.5, "1e3": 1000.0, "true": True, "null": None, "": "", "adam": "adam", '"1"': "1", "yes": "yes",
    "0x10": "0x10", "NaN": "NaN", "1e999": "1e999", "data/a.csv": "data/a.csv", "9223372036854775807": 2**63 - 1,
    "[" * 100_000: "[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=lambda x: repr(x)[:20])
def test_a_value_is_json_where_it_is_json(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize("text", ["[1]", "{}", "9223372036854775808", "-9223372036854775809"])
def test_lists_mappings_and_endless_numbers_are_no_values(text: str) -> None:
    with pytest.raises(UsageMistaken):
        scalar(text)
