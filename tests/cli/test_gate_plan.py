import json
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core.facts import HoldoutAnswered
from headway.core.holdout import Asking, Reuse
from headway.core.ids import Digest
from headway.flows import holdouts
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.ports import Log

CHECK = "new.accuracy - old.accuracy > -0.01"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("steps: [{run: true}]\n")
    return tmp_path


def out(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert dispatch(["gate", "plan", *words]) == 0
    return capsys.readouterr().out


def test_a_plan_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, CHECK, "--rows", "2000", "--asks", "1", "--differ", "0.05")
    assert text.startswith(f"{CHECK}\n  accuracy may not fall by more than 1 point\n")
    assert "  if both models are equally good: " in text
    assert "\n  2,000 rows: it passes " in text
    assert "differ on 5 % of rows" in text
    # Nothing was made for it.
    assert not (folder / ".headway").exists()


def test_a_machine_is_told_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([CHECK, "--json"], ["--json", CHECK]):
        told = json.loads(out(capsys, *words))
        assert told["checks"][0]["supposed"][0]["rows"] == told["rows"] > 10_000
    assert dispatch(["gate", "--json", "plan", CHECK]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == told["rows"]


def test_the_papers_language_is_planned_by_the_papers_bounds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = out(capsys, r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01", "--method", "bennett", "--asks", "1")
    assert "to within 1 point: 9,052 rows; labels for 906, those on which the models differ" in text


def test_metrics_of_ones_own_are_planned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["gate", "plan", "new.profit > 3"]) == 2
    assert "'profit' is not a metric" in capsys.readouterr().err
    assert "if it is 1 better than the limit: " in out(capsys, "new.profit > 3", "--own", "profit", "--spread", "20")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["new.acuracy > 0.5"], "did you mean 'accuracy'?"),
        ([CHECK, "--rows", "0"], "--rows cannot be 0"),
        ([CHECK, "--rows", "many"], "'many' is not a whole number"),
        ([CHECK, "--differ", "5"], "--differ cannot be 5"),
        ([CHECK, "--positives", "1"], "--positives cannot be 1"),
        ([CHECK, "--spread", "0"], "--spread cannot be 0"),
        ([CHECK, "--confidence", "95"], "--confidence cannot be 95"),
        ([CHECK, "--power", "0.1"], "--power cannot be 0.1"),
        ([CHECK, "--asks", "0"], "--asks cannot be 0"),
        ([CHECK, "--passes", "0"], "--passes cannot be 0"),
        ([CHECK, "--differ", "nan"], "--differ cannot be nan"),
        ([CHECK, "--holdout", "gone.csv"], "there is no gone.csv"),
        ([], "the following arguments are required: CHECK"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert dispatch(["gate", "plan", *words]) == 2
    told = capsys.readouterr().err
    assert problem in told
    assert "\n  do: " in told


def test_a_budget_that_leaves_nothing_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["gate", "plan", CHECK, "--asks", "100", "--passes", "50"]) == 1
    assert "nothing could pass" in capsys.readouterr().err


def test_a_word_is_needed_and_help_has_all_of_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["gate"]) == 2
    assert "WORD" in capsys.readouterr().err
    assert dispatch(["gate", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"    {word} " in told for word in ("plan", "label", "show"))
    assert dispatch(["gate", "plan", "--help"]) == 0
    assert "--differ SHARE" in capsys.readouterr().out


# --- holdouts -----------------------------------------------------------------------------------------------------


def ask(log: Log, digest: str, question: str, outcome: Literal["pass", "fail"]) -> None:
    asking = Asking(
        holdout=Digest(digest),
        path="holdout.csv",
        question=Digest(question),
        key="run/1/gate/1",
        confidence=0.95,
        reuse=Reuse(budget=20, passes=2),
    )
    claim = holdouts.ask(log, asking, now=1.0).claim
    verdict = Digest("0" * 64)
    answered = HoldoutAnswered(
        ask=claim.ask, question=claim.question, outcome=outcome, reveal="verdict", verdict=verdict
    )
    holdouts.answer(log, claim, answered, now=2.0)


@pytest.fixture
def digest(folder: Path) -> str:
    """A holdout of 500 rows, asked twice, with one pass."""
    pl.DataFrame({"x": range(500), "y": [0, 1] * 250}).write_csv(folder / "holdout.csv")
    found = digest_path(str(folder), "holdout.csv", StatCache()).digest
    with wiring.open(load(folder=str(folder))) as parts:
        ask(parts.log, found, "a" * 64, "pass")
        ask(parts.log, found, "b" * 64, "fail")
    return found


def test_a_holdout_says_what_is_left_of_it_and_how_much_it_sees(
    folder: Path, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = out(capsys, CHECK, "--holdout", "holdout.csv")
    assert "Holdout holdout.csv: asked 2 of 20 times, 1 pass. 18 asks are left." in text
    assert "\n  500 rows: " in text
    assert "in all 20 asks of one holdout, which end with 2 passes," in text
    # Its own budget stands, whatever is said now; and rows that are said count.
    told = json.loads(out(capsys, CHECK, "--holdout", "holdout.csv", "--asks", "5", "--rows", "9000", "--json"))
    assert (told["assumed"]["asks"], told["assumed"]["passes"], told["assumed"]["rows"]) == (20, 2, 9000)
    assert told["confidence_of_ask"] == pytest.approx(1 - 0.05 / 210)


def test_a_holdout_is_found_by_its_digest_too(folder: Path, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "holdout.csv").unlink()
    text = out(capsys, CHECK, "--holdout", digest[:12])
    assert f"Holdout {digest[:12]}: asked 2 of 20 times" in text
    assert "500 rows" not in text


def test_a_version_of_a_dataset_is_a_holdout(folder: Path, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["data", "add", "holdout.csv"]) == 0
    capsys.readouterr()
    assert "asked 2 of 20 times" in out(capsys, CHECK, "--holdout", "holdout@1")
    (folder / "fresh.csv").write_text("x,y\n1,0\n2,1\n")
    assert "Holdout fresh.csv: was never asked" in out(capsys, CHECK, "--holdout", "fresh.csv")


def test_an_unreadable_holdout_is_told(folder: Path, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.parquet").write_text("no table")
    assert dispatch(["gate", "plan", CHECK, "--holdout", "text.parquet"]) == 1
    assert "text.parquet" in capsys.readouterr().err
