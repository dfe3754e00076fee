"""The command line's own rules: every command is found by its file, every mistake told in three lines or as JSON."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from headway import __version__, cli, config, errors, wiring
from headway.cli import GROUPS, commands, dispatch, runs
from headway.core import facts as f
from headway.core.ids import Digest, RunId

COMMANDS = sorted(commands())
SHOWN = [name for name in COMMANDS if commands()[name][0] in GROUPS]


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test stands in an empty folder, without settings in the environment."""
    for name in [name for name in config.load().environ if name.startswith("HEADWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Typed:
    """Types words, gives exit code, stdout and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = dispatch(list(words))
        return code, *self._capsys.readouterr()

    def mistake(self, *words: str) -> tuple[int, str, str, str]:
        """Exit code, problem, place and remedy of words that are one."""
        code, out, err = self(*words)
        assert out == ""
        problem, at, do = err.splitlines()
        assert problem.startswith("headway: ")
        assert at.startswith("  at: ")
        assert do.startswith("  do: ")
        return code, problem[9:], at[6:], do[6:]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(capsys)


# --- help -------------------------------------------------------------------------------------------------------


def module(name: str) -> ModuleType:
    return import_module(f"headway.cli.{name.replace('-', '_')}")


def options(name: str) -> set[str]:
    """Every option that a command or one of its words takes."""
    parser = argparse.ArgumentParser(add_help=False)
    module(name).add_arguments(parser)
    cli.common(parser)
    below = [a.choices.values() for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    parsers = [parser, *(one for choices in below for one in choices)]
    return {option for one in parsers for action in one._actions for option in action.option_strings}


def test_every_file_of_the_folder_is_a_command() -> None:
    files = {path.stem.replace("_", "-") for path in Path(cli.__file__).parent.glob("[!_]*.py")}
    assert set(COMMANDS) == files
    assert {"run", "plan", "show", "audit"} <= files


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_where_it_belongs(name: str) -> None:
    group, first = commands()[name]
    assert group in (*GROUPS, "hidden")
    assert first.endswith(".")
    assert len(first) <= 112
    doc = module(name).__doc__ or ""
    assert doc.startswith(first)
    assert "\nGroup: " in doc


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_help_with_its_options(name: str, typed: Typed) -> None:
    code, out, err = typed(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: headway {name} ")
    assert commands()[name][1] in out
    assert "Group:" not in out
    assert {"--json", "--folder"} <= options(name)
    assert max(map(len, out.splitlines())) <= 120
    assert typed("help", name) == (code, out, err)


@pytest.mark.parametrize("name", SHOWN)
def test_the_examples_of_a_command_use_only_options_that_exist(name: str) -> None:
    lines = [line for line in (module(name).__doc__ or "").splitlines() if line.startswith(f"    headway {name}")]
    assert lines
    for line in lines:
        typed_part = re.split(r"\s{2,}", line.strip())[0]
        used = {word for word in typed_part.split() if re.match(r"--?[a-zA-Z]", word)}
        assert used <= options(name) | {"--help"}


def test_the_overview_shows_every_command_in_its_group(typed: Typed) -> None:
    code, out, _ = typed("--help")
    assert code == 0
    assert typed("-h")[1] == typed("help")[1] == out
    blocks = {block.partition(":\n")[0]: block for block in out.split("\n\n")}
    for name in SHOWN:
        assert f"\n  {name} " in blocks[commands()[name][0]]
    assert "perform" not in out


def test_no_words_show_the_overview_and_are_a_mistake(typed: Typed) -> None:
    code, out, _ = typed()
    assert (code, out) == (2, typed("--help")[1])


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_told(word: str, typed: Typed) -> None:
    assert typed(word) == (0, f"headway {__version__}\n", "")


# --- mistakes in words ------------------------------------------------------------------------------------------

BEHIND = "options stand behind the command: headway COMMAND [options]; `headway --help` lists the commands"

WORDS = {
    "an unknown command": (["rnu"], "there is no command 'rnu'", "did you mean `headway run`?"),
    "an unknown command, far off": (["xyzzy"], "there is no command 'xyzzy'", "`headway --help` lists the commands"),
    "a hidden command misspelt": (["perfom"], "there is no command 'perfom'", "`headway --help` lists the commands"),
    "help for an unknown command": (["help", "rnu"], "there is no command 'rnu'", "did you mean `headway run`?"),
    "a path": (["../run"], "there is no command '../run'", "did you mean `headway run`?"),
    "a module": (["__init__"], "there is no command '__init__'", "did you mean `headway init`?"),
    "an option first": (["-C", "x", "run"], "there is no command '-C'", BEHIND),
    "an unknown option": (["run", "--forse"], "unrecognized arguments: --forse", "did you mean `--force`?"),
    "half an option": (["run", "--forc"], "unrecognized arguments: --forc", "did you mean `--force`?"),
    "an unknown option, far off": (["run", "--xyzzy"], "unrecognized arguments: --xyzzy",
                                   "`headway run --help` shows what it takes"),
    "too many words": (["runs", "a"], "unrecognized arguments: a", "`headway runs --help` shows what it takes"),
    "too few words": (["diff"], "the following arguments are required: RUN",
                      "`headway diff --help` shows what it takes"),
    "no number": (["runs", "-n", "x"], "argument -n: 'x' is not a whole number",
                  "`headway runs --help` shows what it takes"),
    "no name and value": (["run", "-p", "lr"], "'lr' is not NAME=VALUE", "write -p train.lr=0.1"),
    "a value without a name": (["plan", "-p", "=1"], "'=1' is not NAME=VALUE", "write -p train.lr=0.1"),
    "no number, of seconds": (["gc", "--grace", "soon"], "argument --grace: 'soon' is not a number",
                              "`headway gc --help` shows what it takes"),
    "fewer steps than none": (["run", "--jobs", "-1"], "-1 steps at a time cannot be", "give a number from 1"),
    "no steps at a time": (["run", "-j", "0"], "0 steps at a time cannot be", "give a number from 1"),
    "one step and many": (["run", "--only", "train", "--from", "test"],
                          "--only is one step and --from all from one on: both cannot be", "leave one of them out"),
    "no runs to show": (["runs", "-n", "0"], "0 runs cannot be shown", "give a number from 1"),
    "fewer runs than none": (["runs", "-n", "-4"], "-4 runs cannot be shown", "give a number from 1"),
    "fewer runs than none kept": (["gc", "--keep-runs", "-5"], "-5 makes no sense", "give a number from 0"),
    "less grace than none": (["gc", "--grace", "-1"], "-1 makes no sense", "give a number from 0"),
    "endless grace": (["gc", "--grace", "inf"], "inf makes no sense", "give a number from 0"),
    "runs kept of endpoints": (["gc", "--target", "--keep-runs", "3"],
                               "what endpoints hold is found by their releases, neither by runs nor by age",
                               "leave --keep-runs away, or collect the store first, without --target"),
    "grace for endpoints": (["gc", "--target", "local", "--grace", "3600"],
                            "what endpoints hold is found by their releases, neither by runs nor by age",
                            "leave --grace away, or collect the store first, without --target"),
    "no port": (["deploy", "m@1", "--endpoint", "m", "--port", "99999"], "99999 is no port",
                "give one from 1 to 65535, or none"),
    "no folder": (["runs", "-C", "nowhere"], "there is no folder nowhere", "name the project's folder"),
    "no run yet": (["show"], "there is no run yet", "`headway run` makes the first"),
    "no such run": (["show", "12"], "there is no run 12", "`headway runs` lists them"),
    "no number of a run": (["show", "²"], "'²' is no run", "give its number; `headway runs` lists them"),
    "a hash too short": (["audit", "--noted", "1234567"], "that is too short to be told apart",
                         "give at least 8 digits of it"),
    "follow for machines": (["logs", "-f", "--json"], "what is followed has no end to close a document with",
                            "leave one out"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "problem", "remedy"), WORDS.values(), ids=WORDS.keys())
def test_a_mistake_is_told_in_three_lines(words: list[str], problem: str, remedy: str, typed: Typed) -> None:
    if "--json" in words:
        code, out, _ = typed(*words)
        told = msgspec.json.decode(out)
        assert (code, told["problem"], told["remedy"]) == (2, problem, remedy)
        return
    code, told_problem, _, told_remedy = typed.mistake(*words)
    assert (code, told_problem, told_remedy) == (2, problem, remedy)


def test_a_mistake_is_told_to_machines_on_stdout(typed: Typed) -> None:
    code, out, err = typed("rnu", "--json")
    assert (code, err) == (2, "")
    assert msgspec.json.decode(out) == {
        "error": "usage", "problem": "there is no command 'rnu'", "at": "headway",
        "remedy": "did you mean `headway run`?", "faults": [],
    }  # fmt: skip


@pytest.mark.parametrize("words", [["--help", "--json"], ["help", "--json"]], ids=" ".join)
def test_the_commands_are_told_to_machines(words: list[str], typed: Typed) -> None:
    code, out, err = typed(*words)
    assert (code, err) == (0, "")
    assert {"command": "run", "group": "The loop", "help": commands()["run"][1]} in msgspec.json.decode(out)


@pytest.mark.parametrize(
    "words", [["help", "run", "--json"], ["help", "--json", "run"], ["run", "--help", "--json"]], ids=" ".join
)
def test_help_for_machines_is_the_same_help(words: list[str], typed: Typed) -> None:
    assert typed(*words) == typed("run", "--help")


FAULTY = "steps:\n  - name: A\n    rnu: echo\n  - name: B\n    run: [1]\n"


def test_faults_of_a_file_are_shown_each_with_its_place(somewhere: Path, typed: Typed) -> None:
    (somewhere / "pipeline.yaml").write_text(FAULTY)
    code, out, err = typed("plan")
    assert (code, out) == (2, "")
    assert "pipeline.yaml:3:5: the key `rnu` is not known here" in err
    assert "    rnu: echo\n        ^\n" in err
    assert "did you mean `run`?" in err
    assert "pipeline.yaml:5:10: " in err
    assert err.splitlines()[-3].startswith("headway: pipeline.yaml has ")


def test_faults_of_the_params_file_are_told_at_their_own_place(somewhere: Path, typed: Typed) -> None:
    (somewhere / "pipeline.yaml").write_text("params: p.yaml\nsteps: [{run: echo}]\n")
    (somewhere / "p.yaml").write_text("a: 1\nb: [1\n")
    code, _, err = typed("plan")
    assert code == 2
    assert err.startswith("p.yaml:3:1: not YAML: ")
    assert "pipeline.yaml:" not in err


def test_faults_of_a_file_are_told_to_machines(somewhere: Path, typed: Typed) -> None:
    (somewhere / "pipeline.yaml").write_text(FAULTY)
    code, out, err = typed("plan", "--json")
    told = msgspec.json.decode(out)
    assert (code, err, told["error"]) == (2, "", "file-faulty")
    assert [(fault["line"], fault["column"]) for fault in told["faults"][:1]] == [(3, 5)]


# --- what commands raise ----------------------------------------------------------------------------------------


def tree(kind: type[errors.HeadwayError] = errors.HeadwayError) -> list[type[errors.HeadwayError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


class Raises:
    """Lets `headway runs` raise something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, error: BaseException) -> None:
        def run(*_: object) -> int:
            raise error

        self._monkeypatch.setattr(runs, "run", run)


@pytest.fixture
def raises(monkeypatch: pytest.MonkeyPatch) -> Raises:
    return Raises(monkeypatch)


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_an_error_ends_with_its_own_exit_code(kind: type[errors.HeadwayError], raises: Raises, typed: Typed) -> None:
    raises(kind("it broke", at="there", remedy="mend it"))
    assert typed.mistake("runs") == (kind.exit_code, "it broke", "there", "mend it")
    code, out, err = typed("runs", "--json")
    assert (code, err) == (kind.exit_code, "")
    assert msgspec.json.decode(out)["error"] == kind.code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PermissionError(13, "Permission denied", "x.csv"), "system", "permission denied"),
        (OSError(28, "No space left on device", "x.csv"), "disk-full", "no space is left"),
        (NotADirectoryError(20, "Not a directory", "x.csv"), "system", "not a directory"),
    ],
    ids=["permission", "disk", "folder"],
)
def test_what_the_system_refused_is_no_fault_of_headway(
    error: OSError, code: str, told: str, raises: Raises, typed: Typed
) -> None:
    raises(error)
    assert typed.mistake("runs")[:3] == (1, told, "x.csv")
    assert msgspec.json.decode(typed("runs", "--json")[1])["error"] == code


def test_a_fault_of_headway_is_told_as_one(raises: Raises, typed: Typed) -> None:
    raises(ValueError("oh"))
    code, problem, at, do = typed.mistake("runs")
    assert (code, problem) == (1, "this is a fault in headway itself: ValueError: oh")
    assert re.fullmatch(r"test_cli\.py:\d+ in run", at)
    assert "HEADWAY_DEBUG=1" in do
    assert msgspec.json.decode(typed("runs", "--json")[1])["error"] == "headway"


@pytest.mark.parametrize("error", [ValueError("oh"), errors.BlobMissing("gone", at="x", remedy="y")], ids=repr)
def test_with_debug_the_traceback_is_shown(
    error: Exception, raises: Raises, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    raises(error)
    monkeypatch.setenv("HEADWAY_DEBUG", "1")
    with pytest.raises(type(error)):
        typed("runs")


def test_an_interruption_ends_with_130(raises: Raises, typed: Typed) -> None:
    raises(KeyboardInterrupt())
    assert typed("runs") == (130, "", "headway: interrupted\n")


@pytest.mark.parametrize("error", [ValueError("oh"), errors.BlobMissing("gone", at="x", remedy="y")], ids=repr)
def test_what_fails_while_an_interruption_is_cleaned_up_after_is_an_interruption(
    error: Exception, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    def run(*_: object) -> int:
        try:
            try:
                raise KeyboardInterrupt
            finally:
                raise ValueError("between")
        finally:
            raise error

    monkeypatch.setattr(runs, "run", run)
    assert typed("runs") == (130, "", "headway: interrupted\n")


# --- readers that go away ---------------------------------------------------------------------------------------


def headway(*words: str, closed: str, cwd: Path) -> tuple[int, bytes]:
    """Exit code, and what came on the other stream, of a command one of whose streams nobody reads."""
    read, write = os.pipe()
    os.close(read)
    out, err = (write, subprocess.PIPE) if closed == "stdout" else (subprocess.PIPE, write)
    try:
        command = [sys.executable, "-m", "headway", *words]
        done = subprocess.run(command, cwd=cwd, check=False, stdout=out, stderr=err)
    finally:
        os.close(write)
    return done.returncode, done.stderr if closed == "stdout" else done.stdout


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["runs"]], ids=" ".join)
def test_a_reader_that_went_away_is_no_error(words: list[str], somewhere: Path) -> None:
    assert headway(*words, closed="stdout", cwd=somewhere) == (0, b"")


def test_a_mistake_that_nobody_reads_of_stays_one(somewhere: Path) -> None:
    assert headway("rnu", "--json", closed="stdout", cwd=somewhere) == (2, b"")
    assert headway("show", closed="stderr", cwd=somewhere) == (2, b"")


@pytest.mark.parametrize(
    ("command", "words", "closed", "code"),
    [("false", [], "stderr", 1), ("false", ["--json"], "stdout", 1), ("true", [], "stderr", 0)],
    ids=["failed", "failed for machines", "passed"],
)
def test_a_run_that_nobody_watches_ends_as_it_would(
    command: str, words: list[str], closed: str, code: int, somewhere: Path
) -> None:
    (somewhere / "pipeline.yaml").write_text(f"steps: [{{run: '{command}'}}]")
    assert headway("run", *words, closed=closed, cwd=somewhere)[0] == code
    with wiring.open(config.load(folder=str(somewhere))) as parts:
        assert [entry.fact.exit_code for entry in parts.log.scan(("RunFinished",))] == [code]  # type: ignore[union-attr] # of that kind


# --- which project, which run -----------------------------------------------------------------------------------


@pytest.fixture
def nested(somewhere: Path) -> Path:
    """A project with another pipeline beside its own, and one in a folder."""
    for name in ("pipeline.yaml", "other.yaml", "below/third.yaml", "below/pipeline.yaml"):
        path = somewhere / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"pipeline: {path.parent.name.replace(somewhere.name, 'top')}-{path.stem}\nsteps: [{{run: a}}]")
    (somewhere / "data").mkdir()
    return somewhere


FILES = {
    "the project's": (".", [], ".", "pipeline.yaml"),
    "the project's from below": ("data", [], ".", "pipeline.yaml"),
    "another": (".", ["other.yaml"], ".", "other.yaml"),
    "another from below": ("data", ["other.yaml"], ".", "other.yaml"),
    "a path": (".", ["below/third.yaml"], "below", "third.yaml"),
    "a path from below": ("data", ["../below/third.yaml"], "below", "third.yaml"),
    "a path up": ("data", ["../other.yaml"], ".", "other.yaml"),
    "what is here": ("below", ["third.yaml"], "below", "third.yaml"),
    "a folder": (".", ["-C", "below"], "below", "pipeline.yaml"),
    "a folder and a file": (".", ["-C", "below", "third.yaml"], "below", "third.yaml"),
    "a folder and a path": ("data", ["-C", "../below", "../other.yaml"], ".", "other.yaml"),
    "what is nowhere": ("data", ["nowhere.yaml"], ".", "nowhere.yaml"),
}


@pytest.mark.parametrize(("here", "words", "folder", "file"), FILES.values(), ids=FILES.keys())
def test_a_pipelines_file_is_looked_for_where_the_shell_would(
    here: str, words: list[str], folder: str, file: str, nested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(nested / here)
    parser = argparse.ArgumentParser()
    cli.add_selection(parser)
    cli.common(parser)
    args = parser.parse_args(words)
    settings, name = cli.project_of(args, config.load(folder=args.folder))
    assert (settings.folder, name) == (str((nested / folder).resolve()), file)


def test_a_path_into_nowhere_is_refused_as_it_was_typed(nested: Path, typed: Typed) -> None:
    assert nested.is_dir()
    assert typed.mistake("run", "nowhere/pipeline.yaml")[1] == "there is no nowhere/pipeline.yaml"


# --- logs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def printed(somewhere: Path) -> Callable[[str], None]:
    """A run whose two steps printed something: one itself, one is reused; begun anew by each call."""

    def begin(text: str) -> None:
        with wiring.open(config.load(folder=str(somewhere))) as parts:
            log = parts.blobs.put(text.encode())
            facts: list[f.Fact] = [
                f.RunStarted(run=RunId(1), name="p", file="", pipeline=Digest(""), options=f.RunOptions()),
                f.StepFinished(step="train", outcome="passed", log=log, log_bytes=len(text.encode())),
                f.StepReused(step="test", cache_key="k", of_run=RunId(7)),
                f.RunFinished(outcome="passed", exit_code=0),
            ]
            parts.log.append("run/1", facts, expect=0, at=1.0)

    return begin


def test_what_all_steps_printed_is_shown_under_their_names(printed: Callable[[str], None], typed: Typed) -> None:
    printed("epoch 1\n")
    assert typed("logs") == (0, "== train (passed)\nepoch 1\n== test (reused, as in run 7)\n", "")


def test_what_one_step_printed_is_shown_alone(printed: Callable[[str], None], typed: Typed) -> None:
    printed("epoch 1\n")
    assert typed("logs", "1", "train") == (0, "epoch 1\n", "")


def test_a_reused_step_says_where_it_printed(printed: Callable[[str], None], typed: Typed) -> None:
    printed("epoch 1\n")
    assert typed("logs", "latest", "test") == (0, "", "test was reused: headway logs 7 test\n")


def test_logs_for_machines_hold_the_end_of_what_was_printed(printed: Callable[[str], None], typed: Typed) -> None:
    printed("ü" * (1 << 20) + "end")
    document = msgspec.json.decode(typed("logs", "--json")[1])
    train = document["steps"][0]
    assert (train["step"], train["state"], train["n_bytes"]) == ("train", "passed", (1 << 21) + 3)
    assert train["text"].endswith("üend")
    assert len(train["text"].encode()) <= (1 << 20) + 2
    assert document["steps"][1] == {"step": "test", "state": "reused", "n_bytes": 0, "text": ""}


@pytest.mark.parametrize("words", [[], ["--json"], ["-f"]], ids=["plain", "json", "follow"])
def test_an_unknown_step_is_refused(words: list[str], printed: Callable[[str], None], typed: Typed) -> None:
    printed("")
    code, out, err = typed("logs", "1", "trian", *words)
    assert code == 2
    assert "run 1 has no step 'trian'" in out + err


def test_following_an_ended_step_prints_it_and_ends(printed: Callable[[str], None], typed: Typed) -> None:
    printed("epoch 1\n")
    assert typed("logs", "1", "train", "-f") == (0, "epoch 1\n", "")


def test_following_needs_a_step_at_work(printed: Callable[[str], None], typed: Typed) -> None:
    printed("")
    assert typed.mistake("logs", "-f")[1:] == ("no step of run 1 is at work", "--follow", "leave out --follow")
