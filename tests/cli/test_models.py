"""`headway models`: list, show, alias, for people and for machines."""

from pathlib import Path

import msgspec
import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core.facts import Metric, Source
from headway.core.ids import Artifact, Digest, RunId
from headway.core.registry import Registration
from headway.flows import registry


@pytest.fixture
def project(tmp_path: Path) -> str:
    """A project with two versions of a model."""
    with wiring.open(load(folder=str(tmp_path))) as parts:
        for n, content in enumerate("ab", 1):
            asked = Registration(
                model="churn",
                artifact=Artifact(path="models/m.pkl", digest=Digest(content * 64), size_bytes=1234),
                key=f"run/{n}/register",
                format="sklearn",
                run=RunId(n),
                step="register",
                source=Source(commit="0123456789abcdef", diff=Digest("d" * 64)),
                data=(Artifact(path="data/training.csv", digest=Digest("e" * 64)),),
                params={"train.lr": 0.1},
                metrics=(Metric(name="auc", value=0.7125),),
                by="ann",
                alias="challenger",
            )
            registry.register(parts.log, asked, now=1_800_000_000.0 + n)
        registry.move_alias(parts.log, "churn", "champion", 1, now=1_800_000_100.0, why="first")
    return str(tmp_path)


class Asked:
    """The command line, asked in one project."""

    def __init__(self, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = dispatch(["models", *words, "-C", self._folder])
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.fixture
def ask(project: str, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(project, capsys)


def test_the_list_has_a_line_a_model(ask: Asked) -> None:
    code, out, _ = ask()
    assert code == 0
    assert out.splitlines() == [
        "MODEL  NEWEST  VERSIONS  ALIASES                   REGISTERED",
        "churn  2       2         challenger 2, champion 1  2027-01-15 08:00 UTC",
    ]
    assert ask("list") == (0, out, "")


def test_the_list_for_machines_is_one_json_document(ask: Asked) -> None:
    _, out, _ = ask("--json")
    assert msgspec.json.decode(out) == [
        {
            "name": "churn",
            "newest": 2,
            "n_versions": 2,
            "aliases": {"challenger": 2, "champion": 1},
            "at": 1_800_000_002.0,
        }
    ]


def test_an_empty_registry_says_what_fills_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = Asked(str(tmp_path), capsys)()
    assert code == 0
    assert "uses: register" in out


def test_a_model_is_shown_with_its_versions_and_how_its_aliases_moved(ask: Asked) -> None:
    code, out, _ = ask("show", "churn")
    assert code == 0
    lines = out.splitlines()
    assert lines[1].split()[:4] == ["churn@2", "challenger", "sklearn", "2"]
    assert lines[2].split()[:4] == ["churn@1", "champion", "sklearn", "1"]
    assert lines[-1].endswith("churn@champion means churn@1: first")
    assert lines[-2].endswith("churn@challenger means churn@2 (was churn@1): registered")


@pytest.mark.parametrize("ref", ["churn@1", "churn@champion"])
def test_a_version_is_shown_with_all_that_led_to_it(ask: Asked, ref: str) -> None:
    code, out, _ = ask("show", ref)
    assert code == 0
    for word in (
        "churn@1  champion",
        "by ann",
        "models/m.pkl  aaaaaaaaaaaa  1,234 bytes",
        "1, step register",
        "0123456789ab with uncommitted changes (dddddddddddd)",
        "data/training.csv  eeeeeeeeeeee",
        "train.lr = 0.1",
        "auc = 0.7125",
    ):
        assert word in out


def test_a_version_for_machines_has_the_whole_fact(ask: Asked) -> None:
    _, out, _ = ask("show", "churn@2", "--json")
    told = msgspec.json.decode(out)
    assert told["version"]["version"] == 2
    assert told["version"]["artifact"]["digest"] == "b" * 64
    assert told["aliases"] == ["challenger"]


def test_an_alias_is_moved_and_moving_it_again_changes_nothing(ask: Asked) -> None:
    assert ask("alias", "churn@2", "champion", "--why", "better")[:2] == (
        0,
        "churn@champion means churn@2 (was churn@1): better\n",
    )
    assert ask("alias", "churn@challenger", "champion")[:2] == (0, "churn@champion means churn@2 already\n")
    _, out, _ = ask("alias", "churn@2", "champion", "--json")
    assert msgspec.json.decode(out) == {"model": "churn", "alias": "champion", "version": 2, "moved": False}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "chrun"), "did you mean churn?"),
        (("show", "churn@9"), "churn has no version 9"),
        (("show", "churn@nobody"), "its aliases: challenger, champion"),
        (("show",), "headway models show MODEL[@VERSION]"),
        (("alias", "churn@1"), "headway models alias MODEL@VERSION NAME"),
        (("alias", "churn@1", "7"), "'7' cannot be an alias"),
        (("alias", "churn", "champion"), "name@version"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_a_wrong_word_ends_with_2_and_says_what_to_write(ask: Asked, words: tuple[str, ...], said: str) -> None:
    code, _, err = ask(*words)
    assert code == 2
    assert said in err
