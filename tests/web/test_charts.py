"""What is drawn on pages: pictures of a project's facts, each with the same in words beside it."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from headway import wiring
from headway.config import Settings
from headway.core import facts as f
from headway.core import validation as v
from headway.core.ids import Artifact, Digest
from headway.errors import TableUnreadable
from headway.steps.validate_data import Record, Step
from headway.web.profiles import Profiles
from web_world import AT, Visitor, served, write


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        found.enter()
        yield found


def test_runs_are_lines_across_what_differs_that_lead_to_them(visitor: Visitor) -> None:
    _, text = visitor.page("/compare?runs=1,2,3&by=auc")
    drawn = re.findall(r'<a href="/runs/(\d)" class="shade-(\d)" aria-label="Run \d: ([^"]+)"', text)
    assert [(run, shade) for run, shade, _ in drawn] == [("1", "0"), ("2", "2"), ("3", "4")]
    assert drawn[1][2] == "train.lr 0.2, loss &lt;b&gt; 0.047619, auc 0.72"
    assert "<option selected>auc</option>" in text


def test_curves_of_runs_lie_over_each_other_and_stand_in_a_table(visitor: Visitor) -> None:
    (one,) = visitor.json("/api/v1/compare?runs=1,3")["curves"]
    assert one["name"] == "loss <b>"
    assert (one["steps"][0], one["steps"][-1], one["values"][0]) == (0, 19, ["1", "0.333333"])
    assert [f"line-{i}" in one["svg"] for i in range(3)] == [True, True, False]
    assert "<b>" not in visitor.page("/compare?runs=1,3")[1]


def test_colours_by_a_metric_that_no_run_has_are_those_of_one_that_they_have(visitor: Visitor) -> None:
    assert visitor.json("/api/v1/compare?runs=1,3&by=nothing")["by"] == "auc"


def test_a_monitor_draws_its_alarms_on_the_axis_of_time(visitor: Visitor) -> None:
    _, svg = visitor.page("/monitors/live/picture")
    assert "alarm: drift: retrain" in svg
    assert 'class="mark alarm"' in svg
    _, text = visitor.page("/monitors/live")
    assert "alarm drift: retrain" in text


def test_the_lineage_of_a_version_leads_both_ways(visitor: Visitor) -> None:
    links = re.findall(r'<a href="([^"]+)"><g class="box', visitor.page("/models/m/2")[1])
    assert links == ["/data/training/2", "/runs/2", "/releases/e/2"]
    links = re.findall(r'<a href="([^"]+)"><g class="box', visitor.page("/data/training/2")[1])
    assert links == ["/models/m/2", "/models/m/1", "/releases/e/2", "/releases/e/1"]


def test_two_versions_stand_side_by_side(visitor: Visitor) -> None:
    found = visitor.json("/api/v1/models/m/compare?a=1&b=2")["found"]
    assert [row["a"] for row in found["rows"] if (row["kind"], row["name"]) == ("metric", "auc")] == [0.71]
    assert "beside 1" in visitor.page("/models/m/2")[1]
    answer, text = visitor.page("/models/m/compare?a=1")
    assert (answer.status, "?a=1&amp;b=2" in text) == (400, True)


def test_a_validation_shows_what_is_broken_with_its_rows_as_the_step_kept_them(tmp_path: Path) -> None:
    settings = write(tmp_path)
    broken = v.Finding(
        check=v.DataCheck(asks=v.NotNull(), columns=("age",), at="columns.age.nulls"),
        outcome="fail",
        why="2 rows have no age",
        remedy="ask who delivered them",
        n_rows=10,
        n_bad=2,
        examples=(v.Example(row=4, file="a.csv", line=5, values={"name": "<b>Ann</b>", "age": None}),),
    )
    holds = v.Finding(check=v.DataCheck(asks=v.NotNull(), at="columns.fare.nulls"), outcome="pass", why="all have one")
    data = Artifact(path="data/training.csv", digest=Digest("2" * 64))
    step = Step(data="data/training.csv", schema="s.yaml")
    verdict = v.conclude([holds, broken], 10)
    with wiring.open(settings) as parts:
        report = parts.blobs.put(
            msgspec.json.encode(Record(step=step, data=data, reference="train@1", verdict=verdict, exit_code=4))
        )
        n_facts = len(parts.log.read("run/3"))
        values = {"report": report, "outcome": "fail", "rows": "10"}
        done = f.StepFinished(step="data", outcome="refused", exit_code=4, values=values)
        parts.log.append("run/3", [done], expect=n_facts, at=AT + 900)
    with served(settings) as visitor:
        visitor.enter()
        found = visitor.json("/api/v1/runs/3/validations/data")
        assert [one["check"] for one in (*found["broken"], *found["others"])] == [
            "columns.age.nulls",
            "columns.fare.nulls",
        ]
        _, text = visitor.page("/runs/3/validations/data")
        assert "&lt;b&gt;Ann&lt;/b&gt;" in text
        assert "a.csv line 5" in text
        assert "/runs/3/validations/data" in visitor.page("/runs/3/steps/data")[1]
        assert visitor.page("/runs/3/validations/train-model")[0].status == 404
    # What became private since is so in what was kept before.
    with served(msgspec.structs.replace(settings, private=frozenset({"name"}))) as visitor:
        visitor.enter()
        for told in (visitor.page("/runs/3/validations/data")[1], visitor.ask("/api/v1/runs/3/validations/data")[1]):
            assert "•••" in told
            assert "Ann" not in told


def test_data_that_are_too_large_are_not_read_because_a_page_was_opened() -> None:
    with pytest.raises(TableUnreadable, match="larger than 512 MiB") as caught:
        Profiles().of("/nowhere", "training@1", Artifact(path="t.csv", digest=Digest("2" * 64), size_bytes=1 << 30))
    assert caught.value.remedy == "headway profile training@1 --html profile.html"


@pytest.mark.slow
def test_two_versions_of_data_lie_over_each_other_column_by_column(tmp_path: Path) -> None:
    settings = write(tmp_path)
    with wiring.open(settings) as parts:
        for number, header in ((3, "age,city"), (4, "age,city,extra")):
            rows = "".join(
                f"{i % 40 + number},{'north' if i % 3 else 'south'}{',1' * (number == 4)}\n" for i in range(300)
            )
            text = f"{header}\n{rows}".encode()
            data = Artifact(path="data/t.csv", digest=parts.blobs.put(text), size_bytes=len(text))
            fact = f.DatasetVersioned(dataset="t", version=number - 2, artifact=data)
            parts.log.append("dataset/t", [fact], expect=number - 3, at=AT)
    with served(settings) as visitor:
        visitor.enter()
        found = visitor.json("/api/v1/data/t/2/profile?beside=1")
        assert found["changes"] == ["300 rows, as many as before", "new: extra"]
        age, city, extra = found["columns"]
        assert 'class="before"' in age["svg"]
        assert {name: (now, was) for name, now, was in age["facts"]}["least"] == ("4", "3")
        assert [one["value"] for one in city["top"]] == ["north", "south"]
        assert extra["change"] == "new"
        (tmp_path / "headway.toml").write_text('[data]\nprivate = ["city", "age"]\n')
        hidden = msgspec.structs.replace(settings, private=frozenset({"city", "age"}))
        with served(hidden) as another:
            another.enter()
            age, city, _ = another.json("/api/v1/data/t/2/profile")["columns"]
            assert (age["svg"], city["top"], city["remarks"]) == ("", [], ["its values are private: •••"])
            assert {name: now for name, now, _ in age["facts"]} == {
                "empty": "-", "distinct": "40", "least": "•••", "greatest": "•••",
            }  # fmt: skip
            assert "north" not in another.page("/data/t/2/profile")[1]
        answer, shown = visitor.page("/data/t/2/profile?beside=1")
        assert (answer.status, "t@2 beside @1" in shown, "beside 2" in shown) == (200, True, False)
        assert visitor.page("/data/t/2/profile?beside=7")[0].status == 404
        # The store does not have it.
        assert visitor.page("/data/training/2/profile")[0].status == 503
