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
    return pipeline.read(str(folder), "pipeline.yaml", home=str(folder / ".headway"), step_types=Usable)


def test_all_slips_of_all_steps_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(FileFaulty, match="5 faults") as raised:
        read(tmp_path, FILE)
    told = [(fault.line, fault.where) for fault in raised.value.faults]
    assert sorted(told) == [
        (6, "steps.register.with"),
        (6, "steps.register.with.modle"),
        (6, "steps.register.with.name"),
        (9, "steps.gate.with.checks"),
        (9, "steps.gate.with.confidence"),
    ]


def test_a_slip_that_a_matrix_repeats_is_told_once(tmp_path: Path) -> None:
    text = "steps:\n- name: r\n  uses: register\n  matrix: {x: [1, 2]}\n  with: {model: m, name: n, allias: c}\n"
    with pytest.raises(FileFaulty, match="1 fault"):
        read(tmp_path, text)
