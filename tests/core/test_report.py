"""Reports as values and as Markdown: what stands in one of a run, a release and a week; nothing breaks its form."""

import pytest

from gate_views import ALL, view
from headway.core import facts as f
from headway.core.history import view as run_view
from headway.core.ids import Artifact, Digest, RunId
from headway.core.report import MOST_ROWS, Code, Figure, Report, Section, Table, Words, markdown, table
from headway.core.report_release import of_release
from headway.core.report_run import of_run
from headway.core.report_span import Happened, of_span
from headway.core.story import line_of
from releases_told import began, counted, looked, told

D = Digest("d" * 64)
EVIL = "a|b <script>alert(1)</script>\nnext"


def entries(stream: str, *facts: f.Fact, at: float = 0.0) -> list[f.Entry]:
    return [f.Entry(seq=n, stream=stream, n=n, at=at + n, fact=fact) for n, fact in enumerate(facts, 1)]


def words(report: Report, head: str) -> str:
    """All that stands under a head, as Markdown; empty where there is no such head."""
    return markdown(report).partition(f"## {head}\n")[2].partition("\n## ")[0]


# --- Markdown ---------------------------------------------------------------------------------------------------


def test_nothing_that_is_said_breaks_the_form_of_markdown() -> None:
    blocks = (
        Words(words=EVIL),
        table("t", ["a", "b"], [[EVIL, "1"]], numbers=(1,)),
        Code(text="```\nfence"),
        Figure(svg="<svg/>", said="it fell"),
    )
    report = Report(
        title=EVIL, headline="h", is_bad=False, facts=(("who", EVIL),), sections=(Section(head="s", blocks=blocks),)
    )
    text = markdown(report)
    assert "<script" not in text
    assert text.splitlines()[0] == "# a|b &lt;script>alert(1)&lt;/script> next"
    assert "| who | a\\|b &lt;script>alert(1)&lt;/script> next |" in text
    assert "|---|---:|" in text
    assert "````\n```\nfence\n````" in text
    assert "it fell" in text
    assert "<svg" not in text


def test_what_is_typed_keeps_its_signs() -> None:
    section = Section(head="s", blocks=(Words(words="type `headway run <file>` <now>"),))
    report = Report(title="t", headline="h", is_bad=False, sections=(section,))
    assert "type `headway run <file>` &lt;now>" in markdown(report)


def test_a_table_ends_where_nobody_reads_on() -> None:
    shown = table("t", ["a", "b"], [[str(n), ""] for n in range(MOST_ROWS + 5)])
    assert len(shown.rows) == MOST_ROWS + 1
    assert shown.rows[-1] == ("and 5 more", "")


# --- a run ------------------------------------------------------------------------------------------------------


def test_a_run_that_failed_says_why_and_shows_what_was_printed() -> None:
    found = run_view(
        entries(
            "run/7",
            f.RunStarted(
                run=RunId(7), name="churn", file="pipeline.yaml", pipeline=D, options=f.RunOptions(),
                params={"lr": 0.1}, trigger="drift: live", source=f.Source(commit="0123456789abcdef", diff=D),
            ),
            f.StepFinished(step="check", outcome="passed", seconds=1.0, metrics=(f.Metric(name="auc", value=0.71),)),
            f.StepStarted(step="train"),
            f.StepFinished(
                step="train", outcome="failed", exit_code=1, why="exit code 1",
                tests=(f.TestResult(name="1", outcome="passed"), f.TestResult(name="2", outcome="error", message="no")),
                outputs={"model": Artifact(path="m.pkl", digest=D)},
            ),
            f.RunFinished(outcome="failed", exit_code=1, seconds=3.0, why="train: exit code 1"),
        )
    )  # fmt: skip
    assert found is not None
    report = of_run(found, printed={"train": "Traceback"}, summaries={"check": "fine"})
    assert report.is_bad
    assert report.headline == "Run 7 of churn failed: train: exit code 1"
    assert dict(report.facts)["commit"] == "0123456789ab with uncommitted changes"
    assert dict(report.facts)["started by"] == "drift: live"
    assert "```\nTraceback\n```" in words(report, "What did not pass")
    assert "headway logs 7 train" in words(report, "What did not pass")
    assert "| train | failed |" in words(report, "Steps")
    assert "1 error, 1 passed" in words(report, "Tests")
    assert "| train | 2 | error | no |" in words(report, "Tests")
    assert "| auc | 0.71 |" in words(report, "Metrics")
    assert "| lr | 0.1 |" in words(report, "Parameters")
    assert "| train | m.pkl | dddddddddddd |" in words(report, "Outputs")
    assert words(report, "Gates") == words(report, "What came of it") == ""


def test_a_gate_is_told_check_by_check() -> None:
    found = run_view(
        entries("run/1", f.RunStarted(run=RunId(1), name="c", file="p", pipeline=D, options=f.RunOptions()))
    )
    assert found is not None
    report = of_run(found, gates=[view(*ALL)])
    for one in ALL:
        assert one.check.text.replace("<", "&lt;") in words(report, "Gates")
    assert report.headline == "Run 1 of c is under way"
    assert not report.is_bad


# --- a release --------------------------------------------------------------------------------------------------


def test_a_release_that_was_rolled_back_says_all_that_was_counted_and_said() -> None:
    stood, _ = told(
        began(0),
        looked(counted(40)),
        f.ReleaseDirected(release=2, act="abort", why="errors"),
        f.ReleaseFinished(release=2, outcome="rolled-back", why="6 % errors, 0.5 % before"),
    )
    lines = [line for entry in entries("endpoint/e", began(0)) if (line := line_of(entry, {})) is not None]
    report = of_release(stood.release, now=stood.at, svg="<svg/>", story=lines)
    assert report.is_bad
    assert report.headline == "e: m@2 was rolled back, m@1 answers everything"
    assert dict(report.facts)["why it ended so"] == "6 % errors, 0.5 % before"
    assert dict(report.facts)["served before"] == "m@1"
    assert "canary: 10% for 10000 requests" in words(report, "Stages")
    assert "| errors | 40 of 640 |" in words(report, "What was counted")
    assert "| abort | errors |" in words(report, "What was said")
    assert "begins stage 1" in words(report, "What happened")
    assert "--release 2" in words(report, "What to type")


def test_how_a_release_stands_stays_true_in_a_page_that_is_kept() -> None:
    over, _ = told(began(0), f.EndpointSwitched(release=2, url=""), f.ReleaseFinished(release=2, outcome="released"))
    early, late = (of_release(over.release, now=over.at + more) for more in (0.0, 1e6))
    assert early == late
    assert early.headline == "e: m@2 took over in place of m@1"
    under, _ = told(began(0))
    assert "as of" in dict(of_release(under.release, now=under.at).facts)


# --- a week -----------------------------------------------------------------------------------------------------


def happened(*said: tuple[str, f.Fact]) -> Happened:
    found = [f.Entry(seq=n, stream=stream, n=n, at=60.0 * n, fact=fact) for n, (stream, fact) in enumerate(said, 1)]
    return [(line, entry) for entry in found if (line := line_of(entry, {})) is not None]


QUALITY = f.QualitySeen(
    monitor="live", number=3, metric="accuracy", value=0.8, low=0.7, high=0.9, n_labelled=50, n_rows=200
)


def raised(alarm: int) -> f.Fact:
    return f.AlarmRaised(
        monitor="live", alarm=alarm, about="drift", says="look", since_window=1, why=f"age moved {alarm}."
    )


def test_a_week_counts_runs_and_releases_and_names_what_is_open() -> None:
    begun = f.RunStarted(run=RunId(1), name="churn", file="p", pipeline=D, options=f.RunOptions())
    report = of_span(
        happened(
            ("run/1", begun),
            ("run/1", f.RunFinished(outcome="passed", exit_code=0, seconds=20.0)),
            ("run/2", f.RunFinished(outcome="failed", exit_code=1, seconds=5.0)),
            ("endpoint/churn", f.ReleaseHeld(release=1, stage=0, why="too little")),
            ("endpoint/fares", f.ReleaseHeld(release=3, stage=0, why="too little")),
            ("endpoint/fares", f.ReleaseFinished(release=3, outcome="rolled-back", why="slow")),
            ("monitor/live", raised(1)),
            ("monitor/live", f.AlarmEnded(monitor="live", alarm=1, why="as before")),
            ("monitor/live", raised(2)),
            (
                "monitor/live",
                QUALITY,
            ),
        ),
        since=0.0, until=7 * 86400.0, project="shop",
    )  # fmt: skip
    assert report.title == "shop: 1970-01-01 to 1970-01-08"
    assert report.headline == "In 7 days: 2 runs, 1 passed, 1 rolled back and 2 alarms"
    still = words(report, "Still open")
    assert "age moved 2." in still
    assert "age moved 1." not in still
    assert "headway rollout status churn" in still
    assert "fares" not in still
    assert "| churn | 1 |" in words(report, "Runs")
    assert "| began before |  | 1 |" in words(report, "Runs")
    assert "| live | 3 | accuracy | 0.8 (0.7 to 0.9) |" in words(report, "Quality that labels proved")
    assert words(report, "What did not go well").count("\n| 1970") == 6


def test_a_week_without_anything_is_told_in_a_line() -> None:
    report = of_span([], since=0.0, until=7 * 86400.0, project="shop")
    assert (report.headline, report.sections, report.is_bad) == ("In 7 days: 0 runs and 0 alarms", (), False)


@pytest.mark.parametrize("block", [Words(words="w"), Code(text="c"), Figure(svg="<svg/>", said="s")])
def test_every_kind_of_block_has_a_form(block: Words | Code | Figure | Table) -> None:
    report = Report(title="t", headline="h", is_bad=False, sections=(Section(head="s", blocks=(block,)),))
    assert markdown(report).endswith("\n")
