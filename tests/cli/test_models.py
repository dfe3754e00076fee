"""`headway models`: list, show, compare, alias, tag, lineage, for people and for machines."""

import os
import pwd
from pathlib import Path

import msgspec
import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core.facts import AliasMoved, Metric, ModelTagged, Source
from headway.core.ids import Artifact, Digest, RunId
from headway.core.registry import Registration
from headway.flows import registry


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with two versions of a model, of a user who has no key yet."""
    monkeypatch.setenv("HEADWAY_KEYS", str(tmp_path / "keys"))
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
        (("show",), "required: MODEL[@VERSION]"),
        (("alias", "churn@1"), "required: NAME"),
        (("alias", "churn@1", "7"), "'7' cannot be an alias"),
        (("alias", "churn", "champion"), "name@version"),
        (("tag", "churn@1", "stage"), "'stage' is not NAME=VALUE"),
        (("tag", "churn@1", "a b=c"), "'a b' cannot be a tag's name"),
        (("compare", "churn@1", "churn@9"), "churn has no version 9"),
        (("sign", "churn@1"), "headway models keys --make"),
        (("verify", "churn@9"), "churn has no version 9"),
        (("export", "churn@9"), "churn has no version 9"),
        (("import", "none.zip"), "there is no "),
        (("import", "none.zip", "--name", "a/b"), "'a/b' cannot be"),
        (("import", "none.zip", "--alias", "7"), "'7' cannot be"),
        (("lineage", "churn@9"), "churn has no version 9"),
        (("lineage", "nobody@1"), "there is no model 'nobody'"),
        (("lineage", "data/none.csv"), "names no data that this log knows"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_a_wrong_word_ends_with_2_and_says_what_to_write(ask: Asked, words: tuple[str, ...], said: str) -> None:
    code, _, err = ask(*words)
    assert code == 2
    assert said in err


def test_tags_are_set_shown_and_taken_off(ask: Asked) -> None:
    assert ask("tag", "churn@2") == (0, "churn@2 has no tags\n", "")
    assert ask("tag", "churn@challenger", "stage=trial", "owner=Ann B")[1] == "owner = Ann B\nstage = trial\n"
    assert "tags        owner = Ann B\n            stage = trial\n" in ask("show", "churn@2")[1]
    _, out, _ = ask("tag", "churn@2", "--remove", "owner", "--remove", "never-there", "--json")
    assert msgspec.json.decode(out) == {"version": "churn@2", "tags": {"stage": "trial"}}
    assert ask("tag", "churn@1")[1] == "churn@1 has no tags\n"


def test_who_did_it_is_known_also_where_the_environment_names_nobody(
    ask: Asked, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER", raising=False)
    monkeypatch.delenv("LOGNAME", raising=False)
    ask("tag", "churn@2", "stage=trial")
    ask("alias", "churn@2", "champion")
    with wiring.look(load(folder=project)) as parts:
        told = [entry.fact for entry in parts.log.read("model/churn")]
    login = pwd.getpwuid(os.getuid()).pw_name
    assert [fact.by for fact in told if isinstance(fact, ModelTagged)] == [login]
    assert [fact.by for fact in told if isinstance(fact, AliasMoved)][-1] == login


def test_a_card_is_markdown_with_what_people_said(ask: Asked) -> None:
    ask("tag", "churn@1", "intended-use=offers to customers in Europe")
    code, out, _ = ask("show", "churn@champion", "--card")
    assert code == 0
    assert out.startswith("# Model card: churn@1\n")
    assert "## Intended use\n\noffers to customers in Europe\n" in out
    assert "| auc | 0.7125 |" in out
    assert "Not said by anybody yet: limitations" in out
    _, machines, _ = ask("show", "churn@champion", "--card", "--json")
    assert msgspec.json.decode(machines) == {"card": out}


def test_versions_are_compared_by_what_differs(ask: Asked) -> None:
    code, out, _ = ask("compare", "churn@1", "churn@2")
    assert code == 0
    assert out.splitlines()[0] == "churn@1 and churn@2 do not differ in anything that is recorded"
    _, everything, _ = ask("compare", "churn@1", "churn@2", "--all")
    assert ["metric", "auc", "0.7125", "0.7125"] in [line.split() for line in everything.splitlines()]
    _, machines, _ = ask("compare", "churn@1", "churn@2", "--json")
    told = msgspec.json.decode(machines)
    assert (told["a"], told["b"]) == ("churn@1", "churn@2")
    assert {"kind": "metric", "name": "auc", "a": 0.7125, "b": 0.7125, "change": 0.0} in told["rows"]


def test_lineage_goes_back_from_a_version_and_on_from_data(ask: Asked) -> None:
    code, back, _ = ask("lineage", "churn@champion")
    assert code == 0
    assert "data/training.csv  eeeeeeeeeeee" in back
    assert "none: no gate judged it" in back
    assert "never released" in back
    code, on, _ = ask("lineage", "data/training.csv")
    assert code == 0
    assert on.splitlines()[0] == "data/training.csv is part of 2 model versions; none of them serves now"
    assert ask("lineage", "eeeeeeee", "--data")[1] == on.replace("data/training.csv is", "eeeeeeee is")
    _, machines, _ = ask("lineage", "data/training.csv", "--json")
    told = msgspec.json.decode(machines)
    assert [one["version"] for one in told["lineage"]["touched"]] == ["churn@1", "churn@2"]
    assert told["endpoints"] == []


def test_a_key_is_made_and_signs_and_is_trusted(ask: Asked, project: str) -> None:
    assert ask("keys")[1].splitlines()[0] == "yours      none; make one: headway models keys --make"
    code, out, _ = ask("keys", "--make")
    assert code == 0
    own = out.split()[1]
    assert ask("keys", "--make")[0] == 5
    assert ask("sign", "churn@2") == (0, f"churn@2 is signed by {own}\n", "")
    assert ask("sign", "churn@2")[1] == "churn@2 was signed by your key already\n"
    assert f"signed by   {own}" in ask("show", "churn@2")[1]
    (Path(project) / "headway.toml").write_text(f'[trust]\nkeys = ["{own}"]\nrequire-signature = true\n')
    told = msgspec.json.decode(ask("keys", "--json")[1])
    assert (told["own"], told["trusted"], told["is_required"]) == (own, [own], True)


def test_versions_are_verified_and_what_is_wrong_is_named(ask: Asked, project: str) -> None:
    code, out, _ = ask("verify", "churn@1")
    assert code == 1
    assert "churn@1 must not be used:\n  m.pkl is missing in the store (aaaaaaaaaaaa)\n" in out
    with wiring.open(load(folder=project)) as parts:
        digest = parts.blobs.put(b"a model")
        asked = Registration(model="fares", artifact=Artifact(path="f.py", digest=digest), key="k")
        registry.register(parts.log, asked, now=1.0)
    assert ask("verify", "fares") == (0, "fares@1 is whole (1 file), not signed\n", "")
    code, out, _ = ask("verify", "--json")
    assert code == 1
    assert {one["version"]: one["is_right"] for one in msgspec.json.decode(out)} == {
        "churn@1": False,
        "churn@2": False,
        "fares@1": True,
    }
    (Path(project) / "headway.toml").write_text("[trust]\nrequire-signature = true\n")
    assert ask("verify", "fares@1")[1].splitlines()[1].startswith("  fares@1 is not signed, and headway.toml asks")


def test_a_key_that_is_none_is_a_fault_of_the_settings(ask: Asked, project: str) -> None:
    (Path(project) / "headway.toml").write_text('[run]\njobs = 0\n\n[trust]\nkeys = ["ed25519:short"]\n')
    code, _, err = ask("keys")
    assert code == 2
    assert "headway.toml has 2 faults" in err
    assert "'ed25519:short' is no public key" in err


def test_a_version_is_exported_and_imported_by_another_project(
    ask: Asked, project: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    with wiring.open(load(folder=project)) as parts:
        digest = parts.blobs.put(b"def predict(rows):\n    return [0 for _ in rows]\n")
        asked = Registration(model="fares", artifact=Artifact(path="f.py", digest=digest), key="k")
        registry.register(parts.log, asked, now=1.0)
    code, out, _ = ask("export", "fares@1", "--to", "fares.zip")
    assert code == 0
    assert out.startswith("wrote fares@1 to fares.zip: 5 files, ")
    assert ask("export", "fares@1", "--to", "fares.zip")[0] == 5
    there = Asked(str(tmp_path_factory.mktemp("there")), capsys)
    path = f"{project}/fares.zip"
    assert there("import", path, "--alias", "challenger") == (
        0,
        (
            f"imported fares@1 as fares@1 (function, {digest[:12]}), not signed\n"
            f"it would run code when it is loaded: nobody can until you vouch for it by --trust {digest[:12]}\n"
        ),
        "",
    )
    assert there("import", path, "--trust", "0" * 12)[0] == 2
    assert there("import", path, "--trust", digest[:12])[1] == "fares@1 stays: it was registered before\n"
    told = msgspec.json.decode(there("import", path, "--json")[1])
    assert (told["is_trusted"], told["came_from"]) == (True, "fares@1")
    assert "imported    from another project (" in there("show", "fares@1")[1]
    assert "| imported | from another project |" in there("show", "fares@1", "--card")[1]
    assert there("verify")[1] == "fares@1 is whole (2 files), not signed\n"
