"""Slips in the `with:` of built-in steps are seen when the file is read, before anything runs."""

from pathlib import Path

import pytest

from headway.core.pipeline import Pipeline
from headway.errors import FileFaulty
from headway.flows import pipeline
from headway.steps import Usable

FILE = """
steps:
  - name: Train
    run: echo hi
    out: {model: m.pkl}
  - name: Register
    uses: register
    with: {modle: "${{ steps.train.out.model }}", name: 3}
  - name: Gate
    uses: gate
    with: {challenger: "${{ steps.train.out.model }}", data: d.csv, target: y, checks: [], confidence: 2}
"""


def read(folder: Path, text: str) -> Pipeline:
    (folder / "pipeline.yaml").write_text(text)
    home = str(folder / ".headway")
    return pipeline.read(pipeline.Asked(folder=str(folder), file="pipeline.yaml", home=home, step_types=Usable))


def told(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Place, problem and remedy of each fault; the caret stands under the place in its excerpt."""
    with pytest.raises(FileFaulty) as raised:
        read(folder, text)
    lines = text.splitlines()
    assert all(fault.excerpt == lines[fault.line - 1] for fault in raised.value.faults)
    return [(f"{fault.line}:{fault.column}", fault.problem, fault.remedy) for fault in raised.value.faults]


def test_all_slips_of_all_steps_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    assert [place for place, _, _ in told(tmp_path, FILE)] == ["8:5", "8:12", "8:57", "11:88", "11:104"]


MANY = """\
steps:
  - name: Train
    run: "true"
    tiemout: 3
    runner: ray
  - name: Gate
    uses: gate
    with:
      challengr: m
      data: d
      target: t
      checks: ["new.auc > 0.7", "new.accuracy >= abc", "${{ params.check }}", new.acuracy > 0.8]
      champion: churn champion
      unsure: maybe
  - name: Deploy
    uses: deploy
    with:
      endpoint: a b
      modle: b
      port: 123456789
      strategy: canary
  - uses: register
"""


def test_faults_of_the_file_and_of_every_step_type_are_told_in_one_round(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("check: new.auc > 0.5")
    found = {place: (problem, remedy) for place, problem, remedy in told(tmp_path, MANY + "params: params.yaml\n")}
    assert found == {
        "4:5": ("the key `tiemout` is not known here", "did you mean `timeout`?"),
        "5:13": ("there is no runner `ray` in this version", "take the key out, or write runner: local"),
        "8:5": (
                "`challenger` is missing",
                'write it like this: challenger: "models/model.pkl"; or name what it answered: `predictions`',
            ),
        "9:7": ("the key `challengr` is not known here", "did you mean `challenger`?"),
        "12:50": (
            "the check 'new.accuracy >= abc' cannot be read: 'abc' is not a number", "write one, such as 0.8 or -0.01"
        ),
        "12:83": (
            "the check 'new.acuracy > 0.8' cannot be read: 'acuracy' is not a metric",
            "did you mean 'accuracy'?",
        ),
        "13:17": (
            "'churn champion' does not name a model version", "write name@version or name@alias: churn@12"
        ),
        "14:15": ("`unsure` must be `fail`, `hold` or `pass`, not the text `maybe`", "write fail or hold or pass"),
        "17:5": ("`model` is missing", 'write it like this: model: "churn@challenger"'),
        "18:17": ("'a b' cannot be an endpoint's name", "use letters, digits and -_."),
        "19:7": ("the key `modle` is not known here", "did you mean `model`?"),
        "20:13": ("`port` must be at most 65535, not 123456789", "write a whole number: at least 0 and at most 65535"),
        "21:17": ("there is no strategy `canary`", "write all-at-once, blue-green or a list of stages"),
        "22:5": ("`name` is missing", 'write it like this: name: "churn"'),
    }  # fmt: skip


def test_of_a_with_that_is_no_mapping_only_that_is_told(tmp_path: Path) -> None:
    assert [place for place, _, _ in told(tmp_path, "steps:\n- uses: gate\n  with: nothing\n")] == ["3:9"]


def test_values_that_are_expressions_are_left_to_the_run(tmp_path: Path) -> None:
    text = MANY.partition("  - name: Deploy")[0].replace("    tiemout: 3\n    runner: ray\n", "")
    for slip, given in {
        "challengr": "challenger", "abc": "0.7", "acuracy": "accuracy", "churn champion": '"${{ env.MODEL }}"',
        "maybe": '"${{ env.UNSURE }}"', "params.check": "env.CHECK",
    }.items():  # fmt: skip
        text = text.replace(slip, given)
    assert len(read(tmp_path, text).steps) == 2


def test_a_slip_that_a_matrix_repeats_is_told_once(tmp_path: Path) -> None:
    text = "steps:\n- name: r\n  uses: register\n  matrix: {x: [1, 2]}\n  with: {model: m, name: n, allias: c}\n"
    with pytest.raises(FileFaulty, match="1 fault"):
        read(tmp_path, text)
